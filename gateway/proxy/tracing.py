"""W3C trace context: the caller's trace goes on to the provider, with a span of ours in between."""

import re
import secrets
from collections.abc import Mapping

MAX_STATE = 512
"""Characters of ``tracestate`` that have to be passed on; a longer one may be left out."""
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_STATE = re.compile(rb"[\x20-\x7e\t]+")


def child(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The headers of one attempt: the same trace, a new span id.

    A caller that sends no ``traceparent``, or one that cannot be read, gets a new trace that is
    not recorded; its ``tracestate`` belongs to nothing then and is left out.
    """
    found = _PARENT.fullmatch(headers.get(b"traceparent", b"").strip())
    if found is None or not _usable(found):
        return {"traceparent": _line(secrets.token_hex(16), "00")}
    passed = {"traceparent": _line(found[2].decode(), found[4].decode())}
    state = headers.get(b"tracestate", b"").strip()
    if len(state) <= MAX_STATE and _STATE.fullmatch(state):
        passed["tracestate"] = state.decode()
    return passed


def _usable(found: re.Match[bytes]) -> bool:
    """Zeros name nothing; version 00 has four parts, ``ff`` is no version."""
    version, more = found[1], found[5]
    if version == b"ff" or (version == b"00" and more):
        return False
    return bool(found[2].strip(b"0") and found[3].strip(b"0"))


def _line(trace: str, flags: str) -> str:
    return f"00-{trace}-{secrets.token_hex(8)}-{flags}"
