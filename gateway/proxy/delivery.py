"""From a provider's answer to the client's, plain and streamed, with the settle in between.

A plain answer goes out once it is paid for. The events of a stream pass as they arrive; its last
one waits for the settle.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import orjson

from gateway.adapters import Adapter, Translator
from gateway.proxy import admission, answers, refusals, sse, upstream
from gateway.proxy.call import DISCONNECTED, Call, Found
from gateway.proxy.errors import Rejected, UpstreamFailure
from gateway.proxy.http import ClientStalled, Header
from gateway.proxy.recording import Recorded
from gateway.proxy.route import Stream
from gateway.proxy.upstream import Response
from wallets.ledger import Result

STREAM_SETTLE_SECONDS = 2.0
PLAIN_SETTLE_SECONDS = 15.0
UPSTREAM_ERROR = "upstream_error"
JSON = (b"content-type", b"application/json")
EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


async def deliver(call: Call, response: Response, adapter: Adapter | None) -> None:
    """Answer the client with what the provider says; raises ``UpstreamFailure`` where that is
    nothing, before a byte has gone out.
    """
    if call.streamed and upstream.is_stream(response):
        translator = adapter.stream(call.request) if adapter is not None else None
        await _stream(call, response, translator)
    else:
        await _plain(call, response, adapter)


async def replay(call: Call, found: Found) -> None:
    """Answer with what another call was answered with."""
    recorded = found.recorded
    written = call.answer_from(found)
    if call.settlement.available:
        await settled(written, STREAM_SETTLE_SECONDS)
    headers = [*answers.common(call), *found.headers]
    if not call.streamed:
        await call.exchange.answer(
            200, [JSON, *headers, *answers.paid(call, None)], _whole(call, recorded)
        )
        return
    assert call.route.stream is not None
    stream = call.route.stream(call.request)
    await call.exchange.start(200, [*EVENTS, *headers])
    shown = stream.feed(_events(call, recorded))
    await call.exchange.finish(shown + answers.comment(call, None) + stream.end())


def _whole(call: Call, recorded: Recorded) -> bytes:
    if not recorded.streamed:
        return recorded.body
    assert call.route.replay is not None
    return orjson.dumps(call.route.replay.whole(recorded.body))


def _events(call: Call, recorded: Recorded) -> bytes:
    if recorded.streamed:
        return recorded.body
    assert call.route.replay is not None
    return call.route.replay.events(orjson.loads(recorded.body), call.request)


async def _plain(call: Call, response: Response, adapter: Adapter | None) -> None:
    """The answer goes out once it is paid for."""
    assert call.admission is not None
    body = await upstream.whole(response, call.admission.target)
    call.watch.answered()
    answer = _object(body, call.admission.target.id)
    if adapter is not None:
        answer = adapter.answer(answer)
        body = orjson.dumps(answer)
    text, reported = call.route.answer_text(answer), call.route.read_usage(answer)
    failed = bool(answer.get("error"))
    if not text and not reported[0].completion_tokens:
        _check_delivery(call, response, body, answer)
    usage, flags = call.usage_of(reported, lambda: text)
    charged, recorded = call.charge(
        usage,
        flags,
        verdict="error" if failed else "allow",
        reason=UPSTREAM_ERROR if failed else "",
        plain=body,
        keep=not failed,
    )
    result = await settled(charged, PLAIN_SETTLE_SECONDS)
    _keep(call, recorded, result)
    headers = [
        JSON,
        *upstream.handed_back(response),
        *answers.common(call),
        *answers.paid(call, result),
    ]
    await call.exchange.answer(200, headers, body)


async def _stream(call: Call, response: Response, translator: Translator | None) -> None:
    """Events pass as they arrive; the end waits for the settle."""
    assert call.route.stream is not None
    call.stream = stream = call.route.stream(call.request)
    headers = [*EVENTS, *upstream.handed_back(response), *answers.common(call)]
    cut = await _pass_on(call, response, translator, headers)
    call.watch.answered()
    if cut is None and not (stream.delivered or stream.error or stream.usage):
        cut = empty(call)
    if isinstance(cut, UpstreamFailure) and not (call.exchange.started or delivered(stream)):
        raise cut
    if translator is not None and stream.usage is None:
        # It broke off before it told its usage; what the prompt took was said at its beginning.
        stream.usage = call.route.read_usage({"usage": translator.usage})
    result = await _close_stream(call, cut)
    if call.gone:
        return
    if cut is not None and call.stopping:
        _add_charge(call, cut, result)
    if not call.exchange.started:
        await call.exchange.start(200, headers)
    tail = answers.comment(call, result)
    tail += call.route.error_event(cut) if cut is not None else stream.end()
    await call.exchange.finish(tail)


async def _pass_on(
    call: Call, response: Response, translator: Translator | None, headers: list[Header]
) -> Rejected | None:
    """Forward until the end, or until something breaks off: that is the answer."""
    assert call.stream is not None
    stream = call.stream
    try:
        async with aclosing(_blocks(call, response)) as blocks:
            async for block in blocks:
                events = translator.feed(block) if translator is not None else block
                forward = stream.feed(events) if events else b""
                call.keep(events)
                if call.slices is not None and (cut := await call.slices.cover(stream)):
                    return cut
                if stream.error and not (call.exchange.started or stream.delivered):
                    return _error_first(stream.error)
                if forward and not call.gone:
                    if not call.exchange.started:
                        await call.exchange.start(200, headers)
                    await _send(call, forward)
    except UpstreamFailure as failure:
        return failure
    except sse.NotEvents:
        return UpstreamFailure(502, "The provider's stream is broken.", code="upstream_garbage")
    except asyncio.CancelledError:
        return _interrupted(call)
    return None


async def _send(call: Call, forward: bytes) -> None:
    try:
        await call.exchange.part(forward)
    except ClientStalled:
        call.stalled()


async def _blocks(call: Call, response: Response) -> AsyncGenerator[bytes, None]:
    """Whole events, as many at a time as have arrived."""
    assert call.admission is not None
    target, splitter = call.admission.target, sse.Splitter()
    async for part in upstream.parts_of(response, target, idle=target.timeouts.idle):
        block = splitter.feed(part)
        if block:
            yield block
    rest = splitter.rest()
    if rest:
        yield rest


async def _close_stream(call: Call, cut: Rejected | None) -> Result | None:
    stream = call.stream
    assert stream is not None
    failed = cut is not None or stream.error is not None
    reason = ((cut.code if cut is not None else None) or UPSTREAM_ERROR) if failed else ""
    if failed and reason != DISCONNECTED and not delivered(stream):
        return await settled(
            call.give_back(verdict="error", status=200, reason=reason), STREAM_SETTLE_SECONDS
        )
    usage, flags = call.usage_of(stream.usage, stream.text)
    verdict = "error" if failed else "allow"
    keep = not failed and stream.done
    charged, recorded = call.charge(usage, flags, verdict=verdict, reason=reason, keep=keep)
    result = await settled(charged, STREAM_SETTLE_SECONDS)
    _keep(call, recorded, result)
    return result


def _keep(call: Call, recorded: Recorded | None, result: Result | None) -> None:
    """Only an answer that is known to be paid for is given to others."""
    if result is not None and result.ok:
        call.keep_record(recorded)


async def settled(closing: "asyncio.Future[Result]", patience: float) -> Result | None:
    """The ledger's answer; None when it takes longer, the ledger keeps trying then."""
    await asyncio.wait((closing,), timeout=patience)
    if not closing.done() or closing.exception() is not None:
        return None
    return closing.result()


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
    if call.route.is_empty(answer):
        raise empty(call)


def empty(call: Call) -> UpstreamFailure:
    """The provider said nothing at all."""
    return UpstreamFailure(
        502, f"The provider '{call.event.target}' answered with nothing.", code="upstream_empty"
    )


def _error_first(error: Any) -> UpstreamFailure:
    """A stream that begins with an error is none: the client is told as in a plain answer."""
    body = orjson.dumps({"error": error if isinstance(error, Mapping) else {"message": str(error)}})
    return UpstreamFailure(
        502, "The provider's stream begins with an error.", code=UPSTREAM_ERROR, passed=body
    )


def delivered(stream: Stream) -> bool:
    """Whether the client has got any text, or the provider says that it produced some."""
    reported = stream.usage is not None and stream.usage[0].completion_tokens > 0
    return reported or bool(stream.text())


def _interrupted(call: Call) -> Rejected:
    """Ended from here, by a stop or by the target's total timeout: what was counted is charged."""
    not_cancelled()
    if call.stopping:
        return admission.ended(call)
    return UpstreamFailure(504, "The provider did not finish in time.", code="upstream_timeout")


def not_cancelled() -> None:
    """What cancelled this task has been heard: it goes on to tell the client."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def _add_charge(call: Call, cut: Rejected, result: Result | None) -> None:
    """A stream that was stopped says what its beginning has cost."""
    charged = result.charged if result is not None and result.ok else call.event.cost
    cut.details = {**(cut.details or {}), "charged": refusals.dollars(charged)}
