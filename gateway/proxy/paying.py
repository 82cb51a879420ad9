"""Who pays for a request: the hold before it is sent."""

import asyncio

from gateway.proxy import admission, errors, refusals
from gateway.proxy.call import Call
from gateway.proxy.spending import SpendingBook
from wallets.errors import LedgerUnavailable

RESERVE_SECONDS = 10.0


class Paying:
    """Takes the holds of requests."""

    def __init__(self, spending: SpendingBook) -> None:
        self._spending = spending

    async def start(self) -> None:
        """Open what it needs; called on the running event loop."""

    async def close(self) -> None:
        """Close it again, after the last request."""

    async def reserve(self, call: Call) -> None:
        """Hold what the request can cost; ``call.paying`` is the wallet then, None where nothing
        has to be held. Raises ``Rejected``; a refusal has written its event.
        """
        assert call.admission is not None
        if call.admission.hold == 0:
            return
        operation = admission.reserve(call, call.admission)
        call.holding()
        try:
            async with asyncio.timeout(RESERVE_SECONDS):
                result = await call.settlement.submit(operation)
        except LedgerUnavailable as refusal:
            raise refusals.of(call, refusal, None) from refusal
        except TimeoutError as error:
            raise errors.unavailable("The wallets did not answer in time; try again.") from error
        if result.refusal is None:
            call.paying = result.wallet_id
            return
        if isinstance(result.refusal, LedgerUnavailable):
            raise refusals.of(call, result.refusal, None)
        call.refused()
        spending = None
        if refusals.is_about_money(result.refusal):
            spending = await self._spending.of(call.caller.team.id)
        raise refusals.of(call, result.refusal, spending)
