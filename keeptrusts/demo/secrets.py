"""What the demo's people and programs sign in with: shown once, kept in `demo.json` (mode 0600)."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE = "demo.json"


@dataclass(frozen=True)
class Person:
    """Somebody of the demo; None: has none.

    `key` calls the gateway as that person, `token` the API.
    """

    password: str
    key: str | None = None
    token: str | None = None


@dataclass(frozen=True)
class Demo:
    """Every secret of the demo. `users` and `consumer_groups` by name."""

    api_token: str
    admin: tuple[str, str]  # username, password
    users: dict[str, Person] = field(default_factory=dict)
    consumer_groups: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The content of `demo.json`."""
        return {
            "api_token": self.api_token,
            "admin": {"username": self.admin[0], "password": self.admin[1]},
            "users": {name: asdict(person) for name, person in self.users.items()},
            "consumer_groups": dict(self.consumer_groups),
        }


def pending(directory: Path) -> Path:
    """Where the secrets lie until the rows they belong to are committed."""
    return directory / f".{FILE}.new"


def write(path: Path, demo: Demo) -> None:
    """Write the secrets whole, readable by their owner only, and safe on the disk."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(demo.document(), file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
