"""Requests that go on though no wallet pays for all of them: ``warn``, and streams that finish."""

from gateway.proxy.call import WARNED, Call
from gateway.waiting.allowance import Allowance
from wallets import periods


async def allowed(call: Call, missing: int) -> bool:
    """Whether at most ``missing`` nano-dollars may be written off, by the cap of team and day.

    Then they are set aside until the request ends, and its event is flagged.
    """
    organization = call.snapshot.organization
    allowance = Allowance(
        organization_id=organization.id,
        team_id=call.caller.team.id,
        on=periods.local(call.now, organization.zone).date(),
        cap=call.caller.settings.write_off,
    )
    if not await allowance.take(missing):
        return False
    if WARNED not in call.event.flags:
        call.event.flags.append(WARNED)
    call.at_end.append(lambda call: allowance.used(max(0, (call.event.cost or 0) - call.held)))
    return True


async def may_finish(call: Call, missing: int) -> bool:
    """Whether a stream goes on that nobody pays for any more."""
    settings = call.caller.settings
    finishes = settings.on_exhausted_stream == "finish" or settings.on_exhausted == "warn"
    return finishes and await allowed(call, missing)
