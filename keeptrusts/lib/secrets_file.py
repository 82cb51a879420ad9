"""The secrets of an embedded data directory, made once, readable by its owner alone."""

import os
import secrets
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

NAME = "secrets.env"


def ensure(directory: Path) -> dict[str, str]:
    """The secrets of `directory`, made on first use; processes that start at once agree."""
    path = directory / NAME
    if not path.exists():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _publish(path, _fresh())
    lines = path.read_text(encoding="ascii").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _fresh() -> str:
    return (
        f"SECRET_KEY={secrets.token_urlsafe(64)}\n"
        f"KEEPTRUSTS_FIELD_KEY={Fernet.generate_key().decode('ascii')}\n"
    )


def _publish(path: Path, text: str) -> None:
    """Write `text` whole or not at all; the first writer wins. `mkstemp` gives mode 0600."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".secrets-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)
    except FileExistsError:
        return
    finally:
        os.unlink(name)
