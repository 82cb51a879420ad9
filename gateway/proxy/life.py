"""The life of a request, the same for every route.

admit → reserve → forward → settle, with the event in the same transaction → last byte sent.
It runs in a task of its own, which outlives the client's connection: a client that leaves pays for
what was produced, and every hold is closed once, whatever happens.
"""

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from gateway.pricing import Usage
from gateway.proxy import admission, answers, errors, refusals, sse, upstream
from gateway.proxy.call import DISCONNECTED, Call
from gateway.proxy.errors import Rejected, UpstreamFailure
from gateway.proxy.route import Stream
from gateway.proxy.spending import SpendingBook
from gateway.proxy.upstream import Response, Upstream
from gateway.snapshot import Snapshot
from wallets.errors import LedgerUnavailable
from wallets.ledger import Result

log = logging.getLogger(__name__)

RESERVE_SECONDS = 10.0
STREAM_SETTLE_SECONDS = 2.0
PLAIN_SETTLE_SECONDS = 15.0
EVENT_SECONDS = 2.0
LARGE_BODY = 65_536
CLIENT_CLOSED = 499
UPSTREAM_ERROR = "upstream_error"


class Life:
    """Leads requests from admission to their last byte."""

    def __init__(self, provider: Upstream, spending: SpendingBook) -> None:
        self._upstream = provider
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

    async def _serve(self, call: Call) -> None:
        if len(call.body) > LARGE_BODY:
            call.admission = await asyncio.to_thread(admission.admit, call)
        else:
            call.admission = admission.admit(call)
        await self._check_budget(call)
        paying = await self._reserve(call)
        if call.gone:
            return
        target = call.admission.target
        try:
            async with asyncio.timeout(target.timeouts.total):
                await self._forward(call, paying)
        except TimeoutError as error:
            raise UpstreamFailure(
                504,
                f"The provider '{target.id}' did not finish in time.",
                code="upstream_timeout",
            ) from error

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

    async def _reserve(self, call: Call) -> int | None:
        """The wallet that pays; None where nothing has to be held."""
        assert call.admission is not None
        if call.admission.hold == 0:
            return None
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
            return result.wallet_id
        if isinstance(result.refusal, LedgerUnavailable):
            raise refusals.of(call, result.refusal, None)
        call.refused()
        spending = None
        if refusals.is_about_money(result.refusal):
            spending = await self._spending.of(call.caller.team.id)
        raise refusals.of(call, result.refusal, spending)

    async def _forward(self, call: Call, paying: int | None) -> None:
        assert call.admission is not None
        admitted = call.admission
        async with self._upstream.post(
            admitted.target,
            call.route.upstream_path,
            admitted.body,
            call.exchange.headers,
            streamed=call.streamed,
            sent=call.went_out,
        ) as response:
            call.event.ttfb_ms = call.elapsed_ms()
            _attempt(call, response.status)
            if response.status != HTTPStatus.OK:
                body = await upstream.whole(response, admitted.target)
                raise upstream.failure(response, body, admitted.target)
            if call.streamed and upstream.is_stream(response):
                await self._stream(call, response, paying)
            else:
                await self._plain(call, response, paying)

    async def _plain(self, call: Call, response: Response, paying: int | None) -> None:
        """The answer goes out once it is paid for."""
        assert call.admission is not None
        body = await upstream.whole(response, call.admission.target)
        answer = _object(body, call.admission.target.id)
        text, reported = call.route.answer_text(answer), Usage.from_openai(answer.get("usage"))
        failed = bool(answer.get("error"))
        if not text and not reported[0].completion_tokens:
            _check_delivery(call, response, body, answer)
        usage, flags = call.usage_of(reported, lambda: text)
        charged = call.charge(
            usage,
            flags,
            verdict="error" if failed else "allow",
            reason=UPSTREAM_ERROR if failed else "",
        )
        result = await settled(charged, PLAIN_SETTLE_SECONDS)
        headers = [
            (b"content-type", b"application/json"),
            *upstream.handed_back(response),
            *answers.common(call, paying),
            *answers.paid(call, result),
        ]
        await call.exchange.answer(200, headers, body)

    async def _stream(self, call: Call, response: Response, paying: int | None) -> None:
        """Events pass as they arrive; the end waits for the settle."""
        call.stream = call.route.stream(call.request)
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-cache"),
            *upstream.handed_back(response),
            *answers.common(call, paying),
        ]
        await call.exchange.start(200, headers)
        cut = await self._pass_on(call, response)
        if cut is None and not (call.stream.delivered or call.stream.error or call.stream.usage):
            cut = _empty(call)
        result = await self._close_stream(call, cut)
        tail = answers.comment(call, result)
        if cut is not None:
            tail += b"data: " + cut.body() + b"\n\n"
        elif call.stream.done:
            tail += sse.DONE
        await call.exchange.finish(tail)

    async def _pass_on(self, call: Call, response: Response) -> Rejected | None:
        """Forward until the end, or until something breaks off: that is the answer."""
        assert call.stream is not None and call.admission is not None
        splitter, stream = sse.Splitter(), call.stream
        target = call.admission.target
        try:
            async for part in upstream.parts_of(response, target, idle=target.timeouts.idle):
                block = splitter.feed(part)
                forward = stream.feed(block) if block else b""
                if forward and not call.gone:
                    await call.exchange.part(forward)
            rest = splitter.rest()
            forward = stream.feed(rest) if rest else b""
            if forward and not call.gone:
                await call.exchange.part(forward)
        except UpstreamFailure as failure:
            return failure
        except sse.NotEvents:
            return UpstreamFailure(502, "The provider's stream is broken.", code="upstream_garbage")
        except asyncio.CancelledError:
            return _interrupted(call)
        return None

    async def _close_stream(self, call: Call, cut: Rejected | None) -> Result | None:
        stream = call.stream
        assert stream is not None
        failed = cut is not None or stream.error is not None
        reason = ((cut.code if cut is not None else None) or UPSTREAM_ERROR) if failed else ""
        if failed and reason != DISCONNECTED and not _delivered(stream):
            closed = call.give_back(verdict="error", status=200, reason=reason)
        else:
            usage, flags = call.usage_of(stream.usage, stream.text)
            verdict = "error" if failed else "allow"
            closed = call.charge(usage, flags, verdict=verdict, reason=reason)
        return await settled(closed, STREAM_SETTLE_SECONDS)

    async def _reject(self, call: Call, rejected: Rejected) -> None:
        """Everything that is not the model's answer; the hold returns whole."""
        if not call.closed:
            if rejected.blocked and rejected.details is None:
                spending = await self._spending.of(call.caller.team.id)
                rejected.details = refusals.details(call, rejected.code or "", {}, spending)
            verdict = "block" if rejected.blocked else "error"
            closed = call.give_back(
                verdict=verdict, status=rejected.status, reason=rejected.code or ""
            )
            if call.settlement.available:
                await settled(closed, EVENT_SECONDS)
        if call.exchange.started:
            return
        headers = [*rejected.headers(), *answers.common(call, None)]
        await call.exchange.answer(rejected.status, headers, rejected.body())

    async def _fail(self, call: Call) -> None:
        """A fault of our own."""
        try:
            await self._reject(call, errors.internal())
        except Exception:
            log.exception("request %s could not be answered", call.id)


async def settled(closing: "asyncio.Future[Result]", patience: float) -> Result | None:
    """The ledger's answer; None when it takes longer, the ledger keeps trying then."""
    await asyncio.wait((closing,), timeout=patience)
    if not closing.done() or closing.exception() is not None:
        return None
    return closing.result()


def budget_block(snapshot: Snapshot) -> float | None:
    """The lowest percentage of the budget from which requests are refused."""
    alerts = snapshot.policy.document.cost_tracking.budget_alerts
    return min((a.threshold_percent for a in alerts if a.action == "block"), default=None)


def _object(body: bytes, target: str) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise UpstreamFailure(
            502, f"The answer of '{target}' is not JSON.", code="upstream_garbage"
        )
    return value


def _check_delivery(call: Call, response: Response, body: bytes, answer: Mapping[str, Any]) -> None:
    """An answer without a word in it is a failure where it says so, or says nothing at all."""
    assert call.admission is not None
    if answer.get("error"):
        raise upstream.failure(response, body, call.admission.target)
    if not answer.get("choices") and not answer.get("usage"):
        raise _empty(call)


def _empty(call: Call) -> UpstreamFailure:
    return UpstreamFailure(
        502, f"The provider '{call.event.target}' answered with nothing.", code="upstream_empty"
    )


def _delivered(stream: Stream) -> bool:
    """Whether the client has got any text, or the provider says that it produced some."""
    reported = stream.usage is not None and stream.usage[0].completion_tokens > 0
    return reported or bool(stream.text())


def _abandon(call: Call) -> None:
    """The end of a request nobody waits for. A client that left pays for the prompt it had sent."""
    if not (call.sent and call.stopping == DISCONNECTED):
        call.give_back(verdict="error", status=CLIENT_CLOSED, reason=_why(call))
        return
    usage, flags = call.counted()
    call.charge(usage, flags, verdict="error", status=CLIENT_CLOSED, reason=DISCONNECTED)


def _attempt(call: Call, status: int) -> None:
    call.event.attempts.append({"target": call.event.target, "status": status})


def _interrupted(call: Call) -> Rejected:
    """Ended from here, by a stop or by the target's total timeout: what was counted is charged."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    if call.stopping:
        return Rejected(503, "The request was stopped.", code=call.stopping, kind="server_error")
    return UpstreamFailure(504, "The provider did not finish in time.", code="upstream_timeout")


def _why(call: Call) -> str:
    if call.stopping:
        return call.stopping
    return DISCONNECTED if call.gone else "internal_error"
