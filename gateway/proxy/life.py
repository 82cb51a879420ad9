"""The life of a request, the same for every route.

read → stages (replay, rate limits, content filter, cache) → price → reserve → forward → settle,
with the event in the same transaction → last byte sent.
It runs in a task of its own, which outlives the client's connection: a client that leaves pays for
what was produced, and every hold is closed once, whatever happens.
"""

import asyncio
import logging
from collections.abc import Sequence

import structlog

from gateway.proxy import admission, answers, bodies, budgets, delivery, errors, measuring, refusals
from gateway.proxy.call import DISCONNECTED, Call
from gateway.proxy.errors import Rejected
from gateway.proxy.forwarding import Forwarding
from gateway.proxy.paying import Paying
from gateway.proxy.spending import SpendingBook
from gateway.proxy.stages import Stage
from wallets.ledger import Result

log = logging.getLogger(__name__)

EVENT_SECONDS = 2.0
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
        structlog.contextvars.bind_contextvars(request_id=call.id)
        try:
            await self._serve(call)
        except Rejected as rejected:
            await self._reject(call, rejected)
        except asyncio.CancelledError:
            log.warning("the request was stopped: %s", call.stopping or "shutdown")
            await self._tell_stopped(call)
        except Exception:
            log.exception("the request failed")
            await self._fail(call)
        finally:
            if not call.closed:
                _abandon(call)
            call.ended()
            measuring.observe(call)

    async def _serve(self, call: Call) -> None:
        await bodies.looked_into(call.body, admission.read, call)
        for stage in self._stages:
            found = await stage.before(call)
            if found is not None:
                await delivery.replay(call, found)
                return
        await bodies.looked_into(call.body, self._forwarding.plan, call)
        assert call.admission is not None
        await budgets.check(call, call.admission, self._spending)
        await self._paying.reserve(call)
        if not call.gone:
            await self._forwarding.run(call)

    async def _reject(self, call: Call, rejected: Rejected) -> None:
        """Everything that is not the model's answer; the hold returns whole."""
        if not call.closed:
            if rejected.blocked and rejected.details is None:
                spending = await self._spending.of(call.caller.team.id)
                rejected.details = refusals.details(call, rejected.code or "", {}, spending)
            closed = _closed(call, rejected)
            if call.settlement.available:
                await delivery.settled(closed, EVENT_SECONDS)
        if call.exchange.started:
            return
        headers = [*rejected.headers(), *answers.common(call)]
        await call.exchange.answer(rejected.status, headers, call.route.error_body(rejected))

    async def _tell_stopped(self, call: Call) -> None:
        """It was ended from outside. The end is written first, the answer comes after it."""
        if call.gone or call.exchange.started:
            return
        delivery.not_cancelled()
        told = admission.ended(call)
        if not call.closed:
            closed = _abandon(call, told.status)
            if call.settlement.available:
                await delivery.settled(closed, EVENT_SECONDS)
        await self._reject(call, told)

    async def _fail(self, call: Call) -> None:
        """A fault of our own."""
        try:
            await self._reject(call, errors.internal())
        except Exception:
            log.exception("the request could not be answered")


def _closed(call: Call, rejected: Rejected) -> "asyncio.Future[Result]":
    """The hold returns, but for what has been delivered already."""
    if call.stream is not None and delivery.delivered(call.stream):
        usage, flags = call.usage_of(call.stream.usage, call.stream.text)
        closing, _ = call.charge(usage, flags, verdict="error", reason=rejected.reason)
        return closing
    verdict = "block" if rejected.blocked else "error"
    return call.give_back(verdict=verdict, status=rejected.status, reason=rejected.reason)


def _abandon(call: Call, status: int = CLIENT_CLOSED) -> "asyncio.Future[Result]":
    """The end of a request nobody waits for. A client that left pays for the prompt it had sent."""
    if not (call.sent and call.stopping == DISCONNECTED):
        return call.give_back(verdict="error", status=status, reason=_why(call))
    usage, flags = call.counted()
    return call.charge(usage, flags, verdict="error", status=CLIENT_CLOSED, reason=DISCONNECTED)[0]


def _why(call: Call) -> str:
    if call.stopping:
        return call.stopping
    return DISCONNECTED if call.gone else "internal_error"
