"""Output that is billed and that no stream shows: reasoning, mostly.

What came does not say then what it costs; only the provider's own usage does, at the end. So such a
stream is read to its end, whatever the target says of clients that leave. Where that takes too long
or there is no room for it, the client that left pays for all that could have been written.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gateway.proxy.parts import DISCONNECTED, Admission
from gateway.tokens import count_text

if TYPE_CHECKING:
    from gateway.proxy.call import Call

_HIDES_OUTPUT = re.compile(
    r"(^|[/:])(o\d|gpt-[5-9]|gemini-(2\.5|[3-9])|grok-[34]|magistral|qwq)|reason|think|-r1\b"
)
_ASKS_FOR_HIDDEN = ("reasoning", "reasoning_effort", "thinking", "prediction", "best_of")


def hides_output(request: Mapping[str, Any], model: str, admitted: Admission) -> bool:
    """Whether output may be billed that the stream does not show: then nothing bounds it here."""
    priced = admitted.priced
    return (
        admitted.estimate.audio
        or (priced is not None and priced.rates.base.reasoning is not None)
        or _HIDES_OUTPUT.search(model.casefold()) is not None
        or any(request.get(name) is not None for name in _ASKS_FOR_HIDDEN)
    )


def runs(call: "Call") -> bool:
    """Whether the provider has a request that may write what nobody sees."""
    admitted = call.admission
    if admitted is None or not call.sent:
        return False
    return hides_output(call.request, call.event.model, admitted)


def completion_tokens(call: "Call", text: str) -> int:
    """Tokens of an answer that reported none: what is seen, or all it could have had."""
    if call.stopping == DISCONNECTED and runs(call):
        assert call.admission is not None
        return call.admission.estimate.completion_tokens
    return count_text(call.event.model, text)
