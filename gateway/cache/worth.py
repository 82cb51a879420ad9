"""Which answers are kept: whole ones, of a reasonable size, that nothing is odd about."""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.pricing.usage import CLAMPED, CONFLICTING
from gateway.proxy.recording import Recorded
from gateway.proxy.route import Route
from gateway.values import objects

MAX_BYTES = 1024 * 1024
"""Of an answer before it is compressed; longer ones are not kept."""
ODD = frozenset({CLAMPED, CONFLICTING})
"""Flags of a usage that may be wrong; it would be wrong again with every hit."""
REFUSED = ("content_filter", "refusal")
"""Reasons to end that stand for an answer the provider did not want to give."""


def keeping(route: Route, recorded: Recorded) -> bool:
    """Whether an answer that was paid for may be given again. Reads it: not for the event loop
    where it is long.
    """
    if len(recorded.body) > MAX_BYTES or ODD & set(recorded.flags):
        return False
    try:
        return not is_refusal(_plain(route, recorded))
    except (orjson.JSONDecodeError, ValueError, KeyError, TypeError):
        return False


def _plain(route: Route, recorded: Recorded) -> Mapping[str, Any]:
    """The answer in one piece; without a way to make one of a stream, nothing is known of it."""
    if not recorded.streamed:
        answer = orjson.loads(recorded.body)
    elif route.replay is not None:
        answer = route.replay.whole(recorded.body)
    else:
        answer = {}
    if not isinstance(answer, Mapping):
        raise TypeError("no answer")
    return answer


def is_refusal(answer: Mapping[str, Any]) -> bool:
    """Whether the provider refused to answer, in any of the three shapes."""
    if answer.get("stop_reason") in REFUSED:
        return True
    details = answer.get("incomplete_details")
    if isinstance(details, Mapping) and details.get("reason") in REFUSED:
        return True
    choices = any(
        choice.get("finish_reason") in REFUSED or _refuses(choice.get("message"))
        for choice in objects(answer.get("choices"))
    )
    return choices or any(
        part.get("type") == "refusal"
        for item in objects(answer.get("output"))
        for part in objects(item.get("content"))
    )


def _refuses(message: Any) -> bool:
    return isinstance(message, Mapping) and bool(message.get("refusal"))
