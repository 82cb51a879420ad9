"""Requests that go on though no wallet pays for all of them: ``warn``, and streams that finish."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.proxy.call import WARNED, Call
from gateway.waiting.allowance import Allowance
from wallets import periods
from wallets.errors import InsufficientFunds
from wallets.ledger import Reserve, Result

Ask = Callable[[Reserve], Awaitable[Result]]
"""Asks the ledger for a hold; raises ``Rejected`` where nobody knows what came of it."""


class _AtEnd:
    """Gives back what was set aside for a request and is not written off in the end."""

    def __init__(self, call: Call) -> None:
        organization = call.snapshot.organization
        self.allowance = Allowance(
            organization_id=organization.id,
            team_id=call.caller.team.id,
            on=periods.local(call.now, organization.zone).date(),
            cap=call.caller.settings.write_off,
        )

    def __call__(self, call: Call) -> None:
        self.allowance.used(max(0, (call.event.cost or 0) - call.held))


async def allowed(call: Call, missing: int) -> bool:
    """Whether at most ``missing`` nano-dollars may be written off, by the cap of team and day.

    Then they are set aside until the request ends, and its event is flagged. Asked again, with more
    that is missing, only the difference is set aside.
    """
    at_end = next((tell for tell in call.at_end if isinstance(tell, _AtEnd)), None)
    ending = at_end or _AtEnd(call)
    if not await ending.allowance.take(missing - ending.allowance.taken):
        return False
    if WARNED not in call.event.flags:
        call.event.flags.append(WARNED)
    if at_end is None:
        call.at_end.append(ending)
    return True


async def may_finish(call: Call, missing: int) -> bool:
    """Whether a stream goes on that nobody pays for any more."""
    settings = call.caller.settings
    finishes = settings.on_exhausted_stream == "finish" or warns(call)
    return finishes and await allowed(call, missing)


async def warned(call: Call, operation: Reserve, refusal: InsufficientFunds, ask: Ask) -> bool:
    """Whether a request goes out though its hold was refused: what there is is held, the rest is
    written off. ``call.held`` says how much is held; nothing where this is False.
    """
    assert call.admission is not None
    if not warns(call):
        return False
    worst = call.admission.worst
    part = _what_there_is(operation, refusal, worst)
    if not await allowed(call, worst - (part.amount if part is not None else 0)):
        return False
    if part is not None:
        call.holding()
        result = await ask(part)
        if result.ok:
            call.held_by(result)
            call.event.hold = result.amount
            return True
        if not await allowed(call, worst):
            return False
    call.not_held()
    call.event.hold = 0
    return True


def warns(call: Call) -> bool:
    """Whether the policy lets requests go on unpaid."""
    return call.caller.settings.on_exhausted == "warn"


def _what_there_is(operation: Reserve, refusal: InsufficientFunds, most: int) -> Reserve | None:
    """The hold of what the richest of the wallets has, of ``most`` nano-dollars; None: nothing."""
    balances: dict[int, int] = refusal.details["balances"]
    richest = max(operation.candidates, key=lambda c: balances.get(c.wallet.id, 0))
    available = min(max(0, balances.get(richest.wallet.id, 0)), most)
    if not available:
        return None
    return replace(operation, amount=available, prefers=0, candidates=(richest,), waiting=None)
