"""The life of a request, the same for every route.

read → stages (replay, rate limits, content filter, cache) → price → reserve → forward → settle,
with the event in the same transaction → last byte sent.
It runs in a task of its own, which outlives the client's connection: a client that leaves pays for
what was produced, and every hold is closed once, whatever happens.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from gateway.proxy import admission, answers, delivery, errors, refusals
from gateway.proxy.call import DISCONNECTED, Call
from gateway.proxy.errors import Rejected
from gateway.proxy.forwarding import Forwarding
from gateway.proxy.paying import Paying
from gateway.proxy.spending import SpendingBook
from gateway.proxy.stages import Stage
from gateway.snapshot import Snapshot

log = logging.getLogger(__name__)

EVENT_SECONDS = 2.0
LARGE_BODY = 65_536
CLIENT_CLOSED = 499


class Life:
    """Leads requests from their first byte to their last."""

    def __init__(
        self,
        *,
        stages: Sequence[Stage],
        paying: Paying,
        forwarding: Forwarding,
        spending: SpendingBook,
    ) -> None:
        self._stages = stages
        self._paying = paying
        self._forwarding = forwarding
        self._spending = spending

    async def lead(self, call: Call) -> None:
        """All of it. Never raises; ends with an answer, a closed hold and an event."""
        try:
            await self._serve(call)
        except Rejected as rejected:
            await self._reject(call, rejected)
        except asyncio.CancelledError:
            log.warning("request %s was stopped: %s", call.id, call.stopping or "shutdown")
        except Exception:
            log.exception("request %s failed", call.id)
            await self._fail(call)
        finally:
            if not call.closed:
                _abandon(call)
            call.ended()

    async def _serve(self, call: Call) -> None:
        await _off_the_loop(call, admission.read)
        for stage in self._stages:
            found = await stage.before(call)
            if found is not None:
                await delivery.replay(call, found)
                return
        await _off_the_loop(call, _price)
        await self._check_budget(call)
        await self._paying.reserve(call)
        if not call.gone:
            await self._forwarding.run(call)

    async def _check_budget(self, call: Call) -> None:
        """A budget alert with the action ``block`` refuses what costs anything."""
        assert call.admission is not None
        percent = budget_block(call.snapshot)
        if percent is None or call.admission.worst == 0:
            return
        spending = await self._spending.of(call.caller.team.id)
        used = spending.used_percent if spending is not None else None
        if used is not None and used >= percent:
            raise refusals.blocked(call, "budget_alert_block", spending)

    async def _reject(self, call: Call, rejected: Rejected) -> None:
        """Everything that is not the model's answer; the hold returns whole."""
        if not call.closed:
            if rejected.blocked and rejected.details is None:
                spending = await self._spending.of(call.caller.team.id)
                rejected.details = refusals.details(call, rejected.code or "", {}, spending)
            verdict = "block" if rejected.blocked else "error"
            closed = call.give_back(verdict=verdict, status=rejected.status, reason=rejected.reason)
            if call.settlement.available:
                await delivery.settled(closed, EVENT_SECONDS)
        if call.exchange.started:
            return
        headers = [*rejected.headers(), *answers.common(call)]
        await call.exchange.answer(rejected.status, headers, call.route.error_body(rejected))

    async def _fail(self, call: Call) -> None:
        """A fault of our own."""
        try:
            await self._reject(call, errors.internal())
        except Exception:
            log.exception("request %s could not be answered", call.id)


async def _off_the_loop(call: Call, work: Callable[[Call], None]) -> None:
    """Long bodies are read and counted in a thread: others are served meanwhile."""
    if len(call.body) > LARGE_BODY:
        await asyncio.to_thread(work, call)
    else:
        work(call)


def _price(call: Call) -> None:
    """The price at the first target; a debt is told before a wallet is asked."""
    priced = admission.price(call, call.targets[0])
    admission.choose(call, priced)
    admission.check_debt(call, priced)


def budget_block(snapshot: Snapshot) -> float | None:
    """The lowest percentage of the budget from which requests are refused."""
    alerts = snapshot.policy.document.cost_tracking.budget_alerts
    return min((a.threshold_percent for a in alerts if a.action == "block"), default=None)


def _abandon(call: Call) -> None:
    """The end of a request nobody waits for. A client that left pays for the prompt it had sent."""
    if not (call.sent and call.stopping == DISCONNECTED):
        call.give_back(verdict="error", status=CLIENT_CLOSED, reason=_why(call))
        return
    usage, flags = call.counted()
    call.charge(usage, flags, verdict="error", status=CLIENT_CLOSED, reason=DISCONNECTED)


def _why(call: Call) -> str:
    if call.stopping:
        return call.stopping
    return DISCONNECTED if call.gone else "internal_error"
