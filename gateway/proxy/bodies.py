"""Request bodies: parsed once, passed on byte for byte unless something has to be changed."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import orjson

from gateway.proxy import errors

FAITHFUL_UP_TO = 65_536
LARGE = 65_536
"""Bytes from which on reading and counting a body takes long enough to keep others waiting."""
MAX_DEPTH = 128
"""Levels of objects and lists in each other; what writes JSON here can do 254."""


P = ParamSpec("P")
T = TypeVar("T")


async def looked_into(body: bytes, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``work`` finds in a body: in a thread where it is long, others are served meanwhile."""
    if len(body) > LARGE:
        return await asyncio.to_thread(work, *args, **kwargs)
    return work(*args, **kwargs)


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; raises a 400."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.Rejected(
            400, f"The request body is not valid JSON: {error}", code="invalid_json"
        ) from None
    if not isinstance(value, dict):
        raise errors.Rejected(400, "The request body must be a JSON object.", code="invalid_json")
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    return value


def _check_depth(request: dict[str, Any]) -> None:
    for name, value in request.items():
        if _is_deeper(value, MAX_DEPTH - 1):
            raise errors.invalid_field(
                errors.shown(name), f"is nested too deeply: at most {MAX_DEPTH} levels"
            )


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether ``value`` has more levels; level by level, for recursion has limits of its own."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        level = [
            child
            for outer in level
            for child in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(child, dict | list)
        ]
    return bool(level)


def outgoing(body: bytes, request: dict[str, Any], changes: dict[str, Any]) -> bytes:
    """What is sent upstream: the same bytes, or the request with ``changes``.

    A body that names a key twice is written anew: another parser could read another value (a
    dearer model, a larger answer) than the one that was priced.
    """
    if changes:
        return orjson.dumps(request | changes)
    written = orjson.dumps(request)
    if written == body or (len(body) <= FAITHFUL_UP_TO and not _repeats_a_key(body)):
        return body
    return written


def _repeats_a_key(body: bytes) -> bool:
    repeated = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated = repeated or len({key for key, _ in pairs}) != len(pairs)

    try:
        json.loads(body, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return True
    return repeated
