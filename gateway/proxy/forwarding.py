"""Sends a request to a target that serves it, and hands its answer to delivery."""

import asyncio
from http import HTTPStatus

import orjson

from gateway import adapters
from gateway.proxy import bodies, delivery, upstream
from gateway.proxy.call import Admission, Call
from gateway.proxy.errors import UpstreamFailure
from gateway.proxy.paying import Paying
from gateway.proxy.upstream import Upstream


class Forwarding:
    """Leads a request that is paid for to its answer."""

    def __init__(self, provider: Upstream, paying: Paying) -> None:
        self._upstream = provider
        self._paying = paying

    async def run(self, call: Call) -> None:
        """One answer to the client, or ``Rejected``; the total deadline is the first target's."""
        assert call.admission is not None
        target = call.admission.target
        try:
            async with asyncio.timeout(target.timeouts.total):
                await self._attempt(call, call.admission)
        except TimeoutError as error:
            raise UpstreamFailure(
                504,
                f"The provider '{target.id}' did not finish in time.",
                code="upstream_timeout",
            ) from error

    async def _attempt(self, call: Call, admission: Admission) -> None:
        target = admission.target
        adapter = adapters.of(target.provider, call.route.name)
        path = adapter.path if adapter is not None else call.route.upstream_path
        async with self._upstream.post(
            target,
            path,
            _body(call, admission, adapter),
            call.exchange.headers,
            streamed=call.streamed,
            sent=call.went_out,
        ) as response:
            call.event.ttfb_ms = call.elapsed_ms()
            call.event.attempts.append({"target": target.id, "status": response.status})
            if response.status != HTTPStatus.OK:
                body = await upstream.whole(response, target)
                body = adapter.error(body) if adapter is not None else body
                raise upstream.failure(response, body, target)
            await delivery.deliver(call, response, adapter)


def _body(call: Call, admission: Admission, adapter: adapters.Adapter | None) -> bytes:
    if adapter is None:
        return bodies.outgoing(call.body, call.request, admission.changes)
    return orjson.dumps(adapter.request(call.request | admission.changes))
