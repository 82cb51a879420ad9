"""How a caller is told where it stands: the headers of the OpenAI API."""

from collections.abc import Sequence

from gateway.proxy.http import Header
from gateway.rates.rules import Standing

_UNITS = (("h", 3_600_000), ("m", 60_000))


def of(standings: Sequence[Standing]) -> list[Header]:
    """``x-ratelimit-*`` of requests and of the tightest limit of tokens."""
    headers: list[Header] = []
    for kind in ("requests", "tokens"):
        own = [one for one in standings if one.use.rule.kind == kind]
        if own:
            one = min(own, key=lambda one: (one.remaining, -one.resets_in))
            headers += [
                _header("limit", kind, str(one.use.rule.most)),
                _header("remaining", kind, str(one.remaining)),
                _header("reset", kind, duration(one.resets_in)),
            ]
    return headers


def duration(milliseconds: int) -> str:
    """``1s``, ``6m0s``, ``1h0m0.5s``, ``20ms``."""
    if milliseconds < 1_000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    shown, rest = "", milliseconds
    for name, size in _UNITS:
        count, rest = divmod(rest, size)
        if count or shown:
            shown += f"{count}{name}"
    seconds, thousandths = divmod(rest, 1_000)
    fraction = f".{thousandths:03d}".rstrip("0") if thousandths else ""
    return f"{shown}{seconds}{fraction}s"


def _header(word: str, kind: str, value: str) -> Header:
    return f"x-ratelimit-{word}-{kind}".encode(), value.encode()
