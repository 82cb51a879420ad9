"""From one target to the next: what the request costs there, and who pays the difference.

Another target may be another provider with another price. Money is looked at again before anything
is sent to it, as strictly as before the first.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from decimal import Decimal
from typing import NoReturn

from gateway.policy import Target
from gateway.pricing import worst_case_nanos
from gateway.proxy import admission, bodies, budgets, errors, refusals, unpaid
from gateway.proxy.call import Admission, Call
from gateway.proxy.errors import Rejected
from gateway.proxy.spending import SpendingBook
from wallets.errors import Conflict, InsufficientFunds, LedgerUnavailable, NotFound, Refused
from wallets.ledger import Reserve, Result

LEDGER_SECONDS = 10.0
TOO_DEAR = "max_price_ratio"
_NO_PRICE = frozenset({"model_not_priced", "feature_not_priced"})


class Skipped(Exception):
    """The request may not run at a target. ``rejected`` says so to the caller, where it is theirs
    to know (their money); None: the target is left out in silence.
    """

    def __init__(self, reason: str, rejected: Rejected | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rejected = rejected


class Fallback:
    """Moves one request between its targets. What it held for one it keeps for the next."""

    def __init__(self, call: Call, spending: SpendingBook) -> None:
        assert call.admission is not None
        self._call = call
        self._spending = spending
        self._first = call.admission
        self._known = {call.admission.target.id: call.admission}
        self._unknown = False

    async def move(self, target: Target) -> Admission:
        """From now on the request runs at ``target``, and the hold covers what it costs there.

        Raises ``Skipped``, with the request where it was.
        """
        before = self._call.admission
        assert before is not None
        if target.id == before.target.id:
            return before
        try:
            admitted = await self._priced(target)
            self._check_ratio(admitted)
            await self._check_caller(admitted)
            await self._cover(admitted)
        except Skipped:
            self._choose(before)
            raise
        except Rejected as rejected:
            self._choose(before)
            silent = rejected.code in _NO_PRICE
            raise Skipped(rejected.code or "", None if silent else rejected) from rejected
        return admitted

    async def _priced(self, target: Target) -> Admission:
        found = self._known.get(target.id)
        if found is None:
            call = self._call
            found = await bodies.looked_into(call.body, admission.price, call, target)
            self._known[target.id] = found
        return found

    def _check_ratio(self, admitted: Admission) -> None:
        ratio = self._call.caller.settings.max_price_ratio
        if ratio is not None and admitted.worst > Decimal(str(ratio)) * self._first.worst:
            raise Skipped(TOO_DEAR)

    async def _check_caller(self, admitted: Admission) -> None:
        """What was not looked at, or long ago, where the first target was free."""
        admission.check_debt(self._call, admitted)
        await budgets.check(self._call, admitted, self._spending)

    def _choose(self, admitted: Admission) -> None:
        admission.choose(self._call, admitted)
        self._call.event.hold = max(self._call.held, admitted.hold)

    async def _cover(self, admitted: Admission) -> None:
        """Hold what is missing. Chosen before, for the hold says what it is for."""
        call = self._call
        self._choose(admitted)
        if call.slices is not None and _costs_the_same(admitted, self._first):
            return
        if admitted.hold <= call.held:
            # All it can cost here is held; slices would go by the first target's prices.
            call.slices = None
            return
        if self._unknown:
            raise errors.unavailable("The wallets did not answer in time; try again.")
        if call.held == 0:
            await self._reserve(admitted)
            return
        while admitted.hold > call.held:
            refusal = await self._extend(admitted.hold - call.held)
            if refusal is not None:
                await self._extend_unpaid(admitted, refusal)
                break
        # A stream whose hold would grow with it is held in full where it is not at home. Where that
        # was refused, it goes on growing at the target it comes back to.
        call.slices = None

    async def _reserve(self, admitted: Admission) -> None:
        """Where nothing was held so far. The event is written at the end, not with a refusal."""
        call = self._call
        operation = replace(admission.reserve(call, admitted), attachment=None)
        call.holding()
        result = await self._answer(call.settlement.submit(operation))
        if result.ok:
            call.held_by(result)
            return
        assert result.refusal is not None
        if isinstance(result.refusal, InsufficientFunds) and await unpaid.warned(
            call, operation, result.refusal, self._asked
        ):
            return
        call.not_held()
        await self._refuse(result.refusal)

    async def _asked(self, operation: Reserve) -> Result:
        return await self._answer(self._call.settlement.submit(operation))

    async def _extend_unpaid(self, admitted: Admission, refusal: Refused) -> None:
        """What is left of the wallet, and the rest is written off where the policy lets it."""
        call = self._call
        if (
            unpaid.warns(call)
            and isinstance(refusal, InsufficientFunds)
            and call.paying is not None
        ):
            left = max(0, refusal.details["balances"].get(call.paying, 0))
            if left and await unpaid.allowed(call, admitted.worst - call.held - left):
                await self._extend(left)
        await self._without(admitted, refusal)

    async def _without(self, admitted: Admission, refusal: Refused) -> None:
        """No more is held: the request goes on, warned, where the policy lets it, else not here."""
        call = self._call
        short = isinstance(refusal, InsufficientFunds)
        if not (
            short and unpaid.warns(call) and await unpaid.allowed(call, admitted.worst - call.held)
        ):
            await self._refuse(refusal)
        call.event.hold = call.held

    async def _extend(self, amount: int) -> Refused | None:
        """One part more. A part of which nobody knew whether it was held is answered as it is."""
        call = self._call
        operation = admission.extend(call, amount)
        result = await self._answer(call.settlement.submit(operation))
        if result.refusal is not None:
            return result.refusal
        call.parts += 1
        call.held_by(result)
        return None

    async def _answer(self, asked: Awaitable[Result]) -> Result:
        """Raises a 503 where nobody knows what came of it; then no more is asked of the ledger."""
        try:
            async with asyncio.timeout(LEDGER_SECONDS):
                result = await asked
        except LedgerUnavailable as refusal:
            self._unknown = True
            raise refusals.of(self._call, refusal, None) from refusal
        except TimeoutError as error:
            self._unknown = True
            raise errors.unavailable("The wallets did not answer in time; try again.") from error
        if isinstance(result.refusal, LedgerUnavailable):
            self._unknown = True
            raise refusals.of(self._call, result.refusal, None)
        return result

    async def _refuse(self, refusal: Refused) -> NoReturn:
        if isinstance(refusal, Conflict | NotFound):
            # The hold is gone (swept, say): nothing the caller could do about it.
            raise Skipped(refusal.code)
        month = None
        if refusals.is_about_money(refusal):
            month = await self._spending.of(self._call.caller.team.id)
        raise refusals.of(self._call, refusal, month)


def _costs_the_same(one: Admission, other: Admission) -> bool:
    """Whether a hold that grows by the prices of one target covers the other as well."""
    return one.worst == other.worst and _prompt_alone(one) == _prompt_alone(other)


def _prompt_alone(admitted: Admission) -> int:
    if admitted.priced is None:
        return 0
    return worst_case_nanos(admitted.estimate.prompt_tokens, 0, admitted.priced.rates)
