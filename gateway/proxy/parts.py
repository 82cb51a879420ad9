"""What goes along with a call: its admission, and those who hold for it or keep its answer."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from gateway.policy import Target
from gateway.pricing import Priced
from gateway.proxy.errors import Rejected
from gateway.proxy.http import Header
from gateway.proxy.recording import Recorded
from gateway.proxy.route import Stream
from gateway.tokens import Estimate

if TYPE_CHECKING:
    from gateway.proxy.call import Call

DISCONNECTED = "client_disconnected"


@dataclass(slots=True, kw_only=True)
class Admission:
    """What was decided before the request went upstream. ``priced`` None: it costs nothing.

    ``worst`` is the most it can cost, ``hold`` what its wallet must hold: 0 where that is not
    enforced. Nano-dollars. ``changes`` are body fields that must be sent for the bound to hold.
    """

    target: Target
    estimate: Estimate
    priced: Priced | None
    changes: dict[str, Any]
    worst: int
    hold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An answer that is there already. ``avoided_cost`` in nano-dollars, ``cache`` for the header
    and the event (``hit`` | ``bypass``), ``reason`` empty for a hit of the cache.
    """

    recorded: Recorded
    reason: str = ""
    cache: str = "hit"
    avoided_cost: int = 0
    headers: list[Header] = field(default_factory=list)


class Slices(Protocol):
    """The hold of a stream that grows with it."""

    async def cover(self, stream: Stream) -> Rejected | None:
        """Hold more before it is needed; what the stream is ended with where nobody pays on."""


class Recorder(Protocol):
    """Keeps the answers of calls that succeed: for the response cache, for repeated requests."""

    def settling(self, call: "Call", recorded: Recorded) -> None:
        """Right before the settle is handed over: the event may carry the record with it."""

    def settled(self, call: "Call", recorded: Recorded) -> None:
        """The answer is paid for. Called on the event loop: hand slow work on."""

    def dropped(self, call: "Call") -> None:
        """The call ended without an answer worth keeping."""
