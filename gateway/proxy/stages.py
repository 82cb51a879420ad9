"""What may happen to a request before it is priced: one stage each, in a fixed order."""

from typing import Protocol

from gateway.proxy.call import Call, Found


class Stage(Protocol):
    """Looks at a request that has been read; refuses it, answers it, or lets it go on."""

    async def start(self) -> None:
        """Open what it needs; called on the running event loop."""

    async def close(self) -> None:
        """Close it again, after the last request."""

    async def before(self, call: Call) -> Found | None:
        """An answer that is there already, or None; raises ``Rejected``.

        A stage that wants the answer calls ``call.record_for``, one that wants to know the end of
        the request adds to ``call.at_end``, of an answer that was there to ``call.at_found``;
        headers of its own go to ``call.extra``.
        """
