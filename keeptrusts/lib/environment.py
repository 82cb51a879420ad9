"""Environment variables, read strictly: a missing or wrong one stops the start with one line."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

import environ

BOOLEANS = {"1": True, "true": True, "yes": True, "on": True}
BOOLEANS |= {"0": False, "false": False, "no": False, "off": False}


def stop(name: str, problem: str, remedy: str) -> NoReturn:
    """End the process with status 1 and one line; `problem` never holds a secret."""
    raise SystemExit(f"keeptrusts: {name} {problem}: {remedy}")


class Environment:
    """Typed reads of environment variables; an empty variable counts as missing."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._env = environ.Env()
        self._env.ENVIRON = values

    def text(self, name: str, *, default: str | None = None, remedy: str = "set it") -> str:
        """The value, else `default`; without a default a missing variable stops the start."""
        value = self._env.str(name, default="").strip() or default
        if value is None:
            stop(name, "is missing", remedy)
        return value

    def choice(self, name: str, options: Sequence[str], *, default: str) -> str:
        value = self.text(name, default=default)
        if value not in options:
            stop(name, f"is {value!r}", f"use one of {', '.join(options)}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name, default=str(default)).lower()
        if value not in BOOLEANS:
            stop(name, f"is {value!r}", "use true or false")
        return BOOLEANS[value]

    def integer(self, name: str, *, default: int, least: int, most: int) -> int:
        value = self.text(name, default=str(default))
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or not least <= int(value) <= most:
            stop(name, f"is {value!r}", f"use a whole number from {least} to {most}")
        return int(value)

    def words(self, name: str, *, default: str | None = None, remedy: str = "set it") -> list[str]:
        """A comma-separated list without its empty items."""
        value = self.text(name, default=default, remedy=remedy)
        return [word.strip() for word in value.split(",") if word.strip()]

    def url(
        self, name: str, schemes: Sequence[str], *, default: str | None = None, remedy: str
    ) -> str:
        """A URL of one of `schemes`; the error does not repeat it, for it may hold a password."""
        value = self.text(name, default=default, remedy=remedy)
        if not value:
            return value
        parts = _split(value)
        if parts is None or parts.scheme not in schemes or not (parts.netloc or parts.path):
            stop(name, "is not a usable URL", remedy)
        return value

    def database(self, name: str, *, default: str | None) -> dict[str, Any]:
        """Django's database dictionary for a `postgres://` or `sqlite:///` URL.

        `postgres://user@/db?host=DIR` names a socket directory; it moves to HOST, which the
        connection pool and the client tools read.
        """
        remedy = "use postgres://user:password@host:5432/name or sqlite:////path/to/file"
        schemes = ("postgres", "postgresql", "sqlite")
        url = self.url(name, schemes, default=default, remedy=remedy)
        database: dict[str, Any] = self._env.db_url_config(url)
        options = database.setdefault("OPTIONS", {})
        for key in ("host", "port"):
            if key in options:
                database[key.upper()] = str(options.pop(key))
        if database["NAME"] in ("", ":memory:"):
            stop(name, "names no database", remedy)
        return database


def _split(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        _ = parts.port  # a port that is no number raises here
    except ValueError:
        return None
    return parts
