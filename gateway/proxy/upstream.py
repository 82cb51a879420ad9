"""Providers over HTTP: one session per process, named timeouts, foreign errors translated here."""

import asyncio
import io
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from types import SimpleNamespace

import aiohttp
import orjson

from gateway import adapters
from gateway.policy import Target
from gateway.proxy import tracing
from gateway.proxy.errors import UPSTREAM_ID, UpstreamFailure
from gateway.proxy.http import Header
from gateway.targets import Failure, retry_after

IN_ONE_PIECE = 1024 * 1024
"""Bytes of a request body that are handed to the socket at once."""
MAX_ANSWER = 64 * 1024 * 1024
MAX_ERROR = 256 * 1024
ERROR_SECONDS = 10.0
"""Error bodies are short and there with their status; one that is not is not waited for."""
MAX_CONNECTIONS_PER_HOST = 2_000
"""Of its own for every target: one that hangs takes none from the others."""
KEEP_ALIVE_SECONDS = 30
PASSED_ON = (b"openai-", b"anthropic-")
"""Request headers with these beginnings go to the provider."""
HANDED_BACK = ("openai-", "anthropic-", "retry-after")
"""Answer headers with these beginnings go to the client, and the request id under our name."""

OWN_HEADERS = {
    "content-type": "application/json",
    "accept": "*/*",
    "accept-encoding": "identity",
    "user-agent": "keeptrusts",
}

Response = aiohttp.ClientResponse


class Upstream:
    """The client of all providers."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the session; call it from the running event loop."""
        connector = aiohttp.TCPConnector(
            limit=0,
            limit_per_host=MAX_CONNECTIONS_PER_HOST,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            ttl_dns_cache=60,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=2**18,
            trace_configs=[_trace()],
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def post(
        self,
        target: Target,
        path: str,
        body: bytes,
        headers: Mapping[bytes, bytes],
        *,
        streamed: bool,
        sent: Callable[[], None],
    ) -> AsyncIterator[Response]:
        """The provider's answer once its status is there; raises ``UpstreamFailure``.

        ``sent`` is called when the request is on its way: from then on it may have to be paid.
        ``first_byte`` bounds streams only: a plain answer sends nothing until the model has
        finished, and the caller bounds it by ``total``.
        """
        patience = target.timeouts.connect + target.timeouts.first_byte if streamed else None
        response = await self._send(target, path, body, headers, patience, sent)
        try:
            yield response
        finally:
            # A connection with unread bytes is closed, one that was read to its end is kept.
            response.release()

    async def _send(
        self,
        target: Target,
        path: str,
        body: bytes,
        headers: Mapping[bytes, bytes],
        patience: float | None,
        sent: Callable[[], None],
    ) -> Response:
        assert self._session is not None
        connect = target.timeouts.connect
        timeout = aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect)
        try:
            async with asyncio.timeout(patience):
                return await self._session.post(
                    target.base_url + path,
                    data=body if len(body) <= IN_ONE_PIECE else io.BytesIO(body),
                    headers=_headers(target, headers),
                    timeout=timeout,
                    allow_redirects=False,
                    trace_request_ctx=sent,
                )
        except TimeoutError as error:
            raise _timed_out(target) from error
        except aiohttp.ClientResponseError as error:
            raise UpstreamFailure(
                502, f"The answer of '{target.id}' cannot be read.", code="upstream_garbage"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamFailure(
                502, f"The provider '{target.id}' cannot be reached.", code="upstream_unreachable"
            ) from error


def _trace() -> aiohttp.TraceConfig:
    """Tells the caller of every request that a connection has been found and it goes out."""

    async def on_its_way(_session: object, context: SimpleNamespace, _params: object) -> None:
        context.trace_request_ctx()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(on_its_way)
    return trace


def _headers(target: Target, given: Mapping[bytes, bytes]) -> dict[str, str]:
    headers = OWN_HEADERS | tracing.child(given)
    if adapters.speaks_anthropic(target.provider):
        return headers | adapters.native_headers(target.api_key, given)
    for name, value in given.items():
        if name.startswith(PASSED_ON):
            headers[name.decode("latin-1")] = value.decode("latin-1")
    if target.api_key is not None:
        headers["authorization"] = f"Bearer {target.api_key}"
    return headers


async def whole(response: Response, target: Target, *, most: int = MAX_ANSWER) -> bytes:
    """The whole body; raises ``UpstreamFailure`` when it breaks off or is longer than ``most``.

    However slowly it comes: the caller bounds it by ``total``.
    """
    parts, size = [], 0
    async for part in parts_of(response, target, idle=None):
        parts.append(part)
        size += len(part)
        if size > most:
            raise UpstreamFailure(
                502, f"The answer of '{target.id}' is too long.", code="upstream_too_long"
            )
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def error_body(response: Response, target: Target) -> bytes:
    """The body of an answer with a bad status; empty where it cannot be had: the status counts."""
    try:
        async with asyncio.timeout(ERROR_SECONDS):
            return await whole(response, target, most=MAX_ERROR)
    except (UpstreamFailure, TimeoutError):
        return b""


async def parts_of(
    response: Response, target: Target, *, idle: float | None
) -> AsyncIterator[bytes]:
    """The body as it arrives; raises ``UpstreamFailure`` when it breaks off, or stalls for ``idle``
    seconds.
    """
    content = response.content
    try:
        while True:
            part = content.read_nowait()
            if not part and not content.at_eof():
                async with asyncio.timeout(idle):
                    part = await content.readany()
            if not part:
                return
            yield part
    except TimeoutError as error:
        raise _timed_out(target) from error
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamFailure(
            502, f"The answer of '{target.id}' broke off.", code="upstream_broke_off"
        ) from error


def _timed_out(target: Target) -> UpstreamFailure:
    return UpstreamFailure(
        504, f"The provider '{target.id}' did not answer in time.", code="upstream_timeout"
    )


def is_stream(response: Response) -> bool:
    """Whether the answer is an event stream."""
    return response.content_type == "text/event-stream"


def failure(response: Response, body: bytes, target: Target) -> UpstreamFailure:
    """The provider's own error, status and body as they were where they have the right shape."""
    shaped = _is_error_body(body)
    message = f"The provider '{target.id}' answered with status {response.status}."
    status = response.status if response.status >= HTTPStatus.BAD_REQUEST else 502
    found = UpstreamFailure(status, message, code="upstream_error", passed=body if shaped else None)
    wait = asked_to_wait(response)
    found.retry_after = None if wait is None else math.ceil(wait)
    found.upstream_id = upstream_id(response)
    return found


def not_the_callers(failure: UpstreamFailure, kind: Failure, target: Target) -> UpstreamFailure:
    """What is said of our own key or account at a provider is for its operator: the caller is told
    in our words. Other failures stay as they are.
    """
    if kind is Failure.UNAUTHORIZED:
        told = UpstreamFailure(
            502,
            f"The provider '{target.id}' refuses the key this gateway has for it. "
            "Nothing is wrong with your key: tell the operator.",
            code="upstream_unauthorized",
        )
    elif kind is Failure.OUT_OF_QUOTA:
        told = UpstreamFailure(
            503,
            f"This gateway's account at the provider '{target.id}' has no money or quota left. "
            "Nothing is wrong with your wallet: tell the operator.",
            code="upstream_out_of_quota",
        )
    else:
        return failure
    told.retry, told.upstream_id = False, failure.upstream_id
    return told


def asked_to_wait(response: Response) -> float | None:
    """Seconds the provider asks its clients to wait; None where it does not."""
    return retry_after(response.headers, datetime.now(UTC))


def _is_error_body(body: bytes) -> bool:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and isinstance(value.get("error"), dict)


def handed_back(response: Response) -> list[Header]:
    """The provider's headers that its clients know."""
    found = [
        (name.lower().encode("latin-1"), value.encode("utf-8", "surrogateescape"))
        for name, value in response.headers.items()
        if name.lower().startswith(HANDED_BACK)
    ]
    theirs = upstream_id(response)
    return [*found, (UPSTREAM_ID, theirs)] if theirs is not None else found


def upstream_id(response: Response) -> bytes | None:
    """The provider's own id of the request."""
    value = response.headers.get("x-request-id") or response.headers.get("request-id")
    return None if value is None else value.encode("utf-8", "surrogateescape")
