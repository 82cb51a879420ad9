"""Settings that are accepted by the schema but not enforced by this version.

One row per setting. The version that enforces a setting deletes its row; nothing else changes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.policy.source import Path

MESSAGE = "accepted, not enforced by this version"


@dataclass(frozen=True, slots=True)
class NotEnforced:
    """A setting by its path (``*``: every item of a list) and the values that ask for it."""

    path: tuple[str, ...]
    asks: Callable[[Any], bool]
    meanwhile: str


NOT_ENFORCED: tuple[NotEnforced, ...] = ()


def not_enforced(document: Any) -> Iterator[tuple[Path, str]]:
    """Paths of ``document`` (plain values) that this version does not honour, with what happens."""
    for row in NOT_ENFORCED:
        for path, value in _matches(document, row.path, ()):
            if row.asks(value):
                yield path, f"{MESSAGE}: {row.meanwhile}"


def _matches(value: Any, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, Any]]:
    if not pattern:
        yield path, value
    elif pattern[0] == "*":
        for index, item in enumerate(value if isinstance(value, list) else []):
            yield from _matches(item, pattern[1:], (*path, index))
    elif isinstance(value, dict) and pattern[0] in value:
        yield from _matches(value[pattern[0]], pattern[1:], (*path, pattern[0]))
