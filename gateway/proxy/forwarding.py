"""Sends a request to a target that serves it, to the next where that one fails, and hands the
answer to delivery.

Nothing is repeated once a byte of an answer has gone out.
"""

import asyncio
import time
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from gateway import adapters
from gateway.policy import Target
from gateway.proxy import admission, bodies, delivery, errors, upstream
from gateway.proxy.call import Admission, Call
from gateway.proxy.errors import Blocked, Rejected, UpstreamFailure
from gateway.proxy.fallback import Fallback, Skipped
from gateway.proxy.spending import SpendingBook
from gateway.proxy.upstream import Response, Upstream
from gateway.targets import Attempts, Breakers, Failure, Trial, of_answer, of_code, ordered

UPSTREAM = "upstream_"
"""How the codes of a provider's failures begin."""
_TELLS_LITTLE = frozenset({Failure.OUT_OF_QUOTA, Failure.UNAUTHORIZED, Failure.USELESS})


class _Failed(NamedTuple):
    """An attempt that gave the client nothing. ``wait``: seconds the provider asks for."""

    failure: UpstreamFailure
    kind: Failure
    wait: float | None = None
    answered: bool = False

    @property
    def telling(self) -> int:
        """How much it says to the caller: more than nothing, and more than that our account there
        is at fault.
        """
        return self.answered + (self.answered and self.kind not in _TELLS_LITTLE)


class _Judged(Exception):
    """Carries what came of an answer with a bad status out of its connection."""

    def __init__(self, failed: _Failed) -> None:
        super().__init__(failed.failure.message)
        self.failed = failed


class Forwarding:
    """Leads requests that are paid for to their answer. ``breakers`` are those of the process."""

    def __init__(self, provider: Upstream, spending: SpendingBook) -> None:
        self._upstream = provider
        self._spending = spending
        self.breakers = Breakers()

    def plan(self, call: Call) -> None:
        """The order of the targets, and the price at the first that has one; raises ``Rejected``.

        A debt is told before a wallet is asked.
        """
        call.targets = list(ordered(call.targets, ready=self.breakers.ready))
        refused: Blocked | None = None
        for position, target in enumerate(call.targets):
            try:
                admitted = admission.price(call, target)
            except Blocked as blocked:
                refused = refused or blocked
                continue
            del call.targets[:position]
            admission.choose(call, admitted)
            admission.check_debt(call, admitted)
            return
        first = call.targets[0]
        call.event.provider, call.event.target = first.provider, first.id
        assert refused is not None
        raise refused

    async def run(self, call: Call) -> None:
        """One answer to the client, or ``Rejected``; the total deadline is the first target's."""
        assert call.admission is not None
        total = call.admission.target.timeouts.total
        attempts = Attempts(call.targets, self.breakers, deadline=time.monotonic() + total)
        try:
            async with asyncio.timeout(total):
                await self._try(call, attempts)
        except TimeoutError as error:
            raise UpstreamFailure(
                504,
                f"The provider '{call.event.target}' did not finish in time.",
                code="upstream_timeout",
            ) from error

    async def _try(self, call: Call, attempts: Attempts) -> None:
        fallback = Fallback(call, self._spending)
        failures: list[_Failed] = []
        refusals: list[Rejected] = []
        while not (failures and call.gone) and (step := attempts.next()) is not None:
            if step.pause:
                await asyncio.sleep(step.pause)
            try:
                admitted = await fallback.move(step.target)
                request = _Outgoing.of(call, admitted)
            except Skipped as skipped:
                attempts.skip()
                _note_skipped(call, step.target.id, skipped)
                refusals.extend([skipped.rejected] if skipped.rejected else [])
                continue
            failed = await self._attempt(call, admitted, request)
            if failed is None:
                return
            attempts.failed(failed.kind, failed.wait)
            failures.append(failed)
            call.begin_anew()
        raise _told(failures, refusals)

    async def _attempt(
        self, call: Call, admitted: Admission, request: "_Outgoing"
    ) -> _Failed | None:
        target = admitted.target
        record: dict[str, Any] = {"target": target.id}
        call.event.attempts.append(record)
        trial, began = self.breakers.of(target).begin(), time.monotonic()
        try:
            await self._send(call, admitted, request, record)
        except (_Judged, UpstreamFailure) as error:
            failed = error.failed if isinstance(error, _Judged) else _judged(error, record, target)
            _tell(trial, failed)
            if call.closed or call.exchange.started:
                raise failed.failure from error
            _note_failed(record, failed, began)
            return failed
        except asyncio.CancelledError:
            # Not stopped by anybody: the total time is over.
            if not call.stopping and not call.closed:
                trial.failed()
                record["error"] = "upstream_timeout"
                record["ms"] = _milliseconds(began)
            raise
        else:
            broken = call.event.reason_code.startswith(UPSTREAM)
            trial.failed() if broken else trial.succeeded()
            return None
        finally:
            trial.released()

    async def _send(
        self, call: Call, admitted: Admission, request: "_Outgoing", record: dict[str, Any]
    ) -> None:
        began = time.monotonic()
        async with self._upstream.post(
            admitted.target,
            request.path,
            request.body,
            call.exchange.headers,
            streamed=call.streamed,
            sent=call.went_out,
        ) as response:
            call.event.ttfb_ms = call.elapsed_ms()
            record["status"], record["ms"] = response.status, _milliseconds(began)
            if response.status != HTTPStatus.OK:
                raise _Judged(await _bad_answer(response, admitted, request.adapter))
            await delivery.deliver(call, response, request.adapter)


class _Outgoing(NamedTuple):
    """What is sent to a target, and where."""

    path: str
    body: bytes
    adapter: adapters.Adapter | None

    @classmethod
    def of(cls, call: Call, admitted: Admission) -> "_Outgoing":
        """Raises ``Skipped`` where the target's protocol has no words for the request."""
        adapter = adapters.of(admitted.target.provider, call.route.name)
        if adapter is None:
            body = bodies.outgoing(call.body, call.request, admitted.changes)
            return cls(call.route.upstream_path, body, None)
        try:
            translated = adapter.request(call.request | admitted.changes)
        except Rejected as rejected:
            raise Skipped(rejected.code or "", rejected) from rejected
        return cls(adapter.path, orjson.dumps(translated), adapter)


async def _bad_answer(
    response: Response, admitted: Admission, adapter: adapters.Adapter | None
) -> _Failed:
    body = await upstream.error_body(response, admitted.target)
    shown = adapter.error(body) if adapter is not None else body
    kind = of_answer(response.status, body)
    failure = upstream.failure(response, shown, admitted.target)
    return _Failed(
        upstream.not_the_callers(failure, kind, admitted.target),
        kind,
        upstream.asked_to_wait(response),
        answered=True,
    )


def _judged(failure: UpstreamFailure, record: dict[str, Any], target: Target) -> _Failed:
    """What was found out here: no answer at all, or a good status and nothing of use after it."""
    if failure.code == "upstream_error":
        kind = of_answer(record.get("status", 0), failure.passed or b"")
        told = upstream.not_the_callers(failure, kind, target)
        return _Failed(told, kind, failure.retry_after, answered=True)
    return _Failed(failure, of_code(failure.code or ""))


def _tell(trial: Trial, failed: _Failed) -> None:
    """Let the circuit breaker know."""
    if failed.kind is Failure.OUT_OF_QUOTA:
        trial.out_of_quota()
    elif failed.kind is Failure.LIMITED:
        trial.limited(failed.wait)
    elif failed.kind.harms:
        trial.failed()
    else:
        trial.succeeded()


def _note_failed(record: dict[str, Any], failed: _Failed, began: float) -> None:
    """``{target, status | error, ms, retry_after}`` on the event."""
    if record.get("status") in (None, int(HTTPStatus.OK)):
        record["error"] = failed.failure.code
    record["ms"] = _milliseconds(began)
    if failed.wait is not None:
        record["retry_after"] = failed.wait


def _note_skipped(call: Call, target: str, skipped: Skipped) -> None:
    call.event.details.setdefault("skipped", []).append(
        {"target": target, "reason": skipped.reason}
    )


def _told(failures: list[_Failed], refusals: list[Rejected]) -> Rejected:
    """What the caller is told: that money was missing for a target that could have been asked,
    else the last answer of a provider that says something, else the last failure.
    """
    blocked = [refusal for refusal in refusals if refusal.blocked]
    telling = max((failed.telling for failed in failures), default=0)
    failed = [found.failure for found in failures if found.telling == telling]
    return next((found[-1] for found in (blocked, failed, refusals) if found), errors.internal())


def _milliseconds(since: float) -> int:
    return int((time.monotonic() - since) * 1000)
