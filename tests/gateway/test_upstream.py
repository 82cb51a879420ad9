"""The client of providers, against servers that answer oddly."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from gateway.policy import Target
from gateway.proxy import upstream
from gateway.proxy.errors import UpstreamFailure
from gateway.proxy.upstream import Response, Upstream
from tests.fakes.raw import RawServer
from tests.fakes.upstream import FakeUpstream
from tests.gateway.targets.conftest import make_target

T = TypeVar("T")

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


async def _whole(response: Response, target: Target) -> bytes:
    return await upstream.whole(response, target)


def _post(
    target: Target,
    *,
    read: Callable[[Response, Target], Awaitable[T]],
    path: str = "/chat/completions",
    headers: dict[bytes, bytes] | None = None,
) -> T:
    """What ``read`` makes of one answer."""

    async def run() -> T:
        client = Upstream()
        await client.start()
        try:
            async with client.post(
                target, path, b"{}", headers or {}, streamed=False, sent=lambda: None
            ) as response:
                return await read(response, target)
        finally:
            await client.close()

    return asyncio.run(run())


def _sent(headers: dict[bytes, bytes] | None = None, **fields: Any) -> dict[str, str]:
    """The headers a provider gets."""
    path = str(fields.pop("path", "/chat/completions"))
    with FakeUpstream() as server:
        target = make_target("t", base_url=server.url, **fields)
        _post(target, read=_whole, path=path, headers=headers)
        return {name.lower(): value for name, value in server.requests[0].headers.items()}


def test_a_key_goes_out_as_a_bearer_token() -> None:
    headers = _sent(api_key="sk-1")
    assert headers["authorization"] == "Bearer sk-1"
    assert "x-api-key" not in headers


def test_anthropic_gets_its_key_and_version_in_its_own_headers() -> None:
    headers = _sent(api_key="sk-1", provider="anthropic", path="/messages")
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("sk-1", "2023-06-01")
    assert "authorization" not in headers


def test_the_version_a_client_asks_for_is_kept() -> None:
    given = {b"anthropic-version": b"2024-10-01", b"anthropic-beta": b"tools"}
    headers = _sent(given, provider="anthropic", path="/messages")
    assert (headers["anthropic-version"], headers["anthropic-beta"]) == ("2024-10-01", "tools")


def test_the_caller_s_credentials_and_cookies_never_go_out() -> None:
    given = {
        b"authorization": b"Bearer kt_cg_secret",
        b"x-api-key": b"kt_cg_secret",
        b"x-consumer-group": b"kt_cg_secret",
        b"cookie": b"session=kt_cg_secret",
    }
    assert "kt_cg_secret" not in str(_sent(given))


def test_the_trace_of_the_caller_goes_on() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = {b"traceparent": f"00-{trace}-00f067aa0ba902b7-01".encode(), b"tracestate": b"a=1"}
    headers = _sent(given)
    assert headers["traceparent"].startswith(f"00-{trace}-")
    assert "00f067aa0ba902b7" not in headers["traceparent"]
    assert headers["tracestate"] == "a=1"


def _answered(raw: bytes) -> bytes:
    with RawServer(raw) as server:
        return _post(make_target("t", base_url=server.url), read=_whole)


def _fails(raw: bytes) -> str | None:
    with pytest.raises(UpstreamFailure) as failed:
        _answered(raw)
    return failed.value.code


def test_an_answer_of_http_1_0_ends_with_its_connection() -> None:
    assert _answered(b"HTTP/1.0 200 OK\r\n\r\n" + b'{"id": 1}') == b'{"id": 1}'


def test_a_compressed_answer_is_unpacked_though_nobody_asked_for_it() -> None:
    packed = gzip.compress(b'{"id": 1}')
    head = OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    assert _answered(head + packed) == b'{"id": 1}'


def test_an_answer_that_says_it_is_compressed_and_is_not() -> None:
    head = OK + b"content-encoding: gzip\r\ncontent-length: 9\r\n\r\n"
    assert _fails(head + b'{"id": 1}') == "upstream_broke_off"


def test_an_answer_that_unpacks_to_more_than_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream.whole, "__kwdefaults__", {"most": 100_000})
    packed = gzip.compress(b"0" * 1_000_000)
    head = OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    assert _fails(head + packed) == "upstream_too_long"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "upstream_unreachable"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "upstream_garbage"),
        (OK + b"x: " + b"y" * 100_000 + b"\r\n\r\n{}", "upstream_garbage"),
        (OK + b"content-length: 10\r\n\r\n{}", "upstream_broke_off"),
        (OK + b"transfer-encoding: chunked\r\n\r\n5\r\n{}", "upstream_broke_off"),
    ],
    ids=["nothing", "another protocol", "endless header", "short body", "broken chunk"],
)
def test_what_is_no_answer_is_a_failure_with_a_name(raw: bytes, code: str) -> None:
    assert _fails(raw) == code


def test_headers_in_other_characters_are_handed_back_as_they_came() -> None:
    async def headers(response: Response, _target: Target) -> list[tuple[bytes, bytes]]:
        return upstream.handed_back(response)

    raw = OK + b"x-request-id: \xc3\xa9\xff\r\ncontent-length: 2\r\n\r\n{}"
    with RawServer(raw) as server:
        found = _post(make_target("t", base_url=server.url), read=headers)

    assert found == [(b"x-keeptrusts-upstream-request-id", b"\xc3\xa9\xff")]


@pytest.mark.parametrize(
    ("body", "kept"),
    [(b'{"error": {}}', b'{"error": {}}'), (b"x" * 300_000, b"")],
    ids=["usual", "long"],
)
def test_a_long_error_body_is_left_out_and_its_status_counts(body: bytes, kept: bytes) -> None:
    async def error(response: Response, target: Target) -> bytes:
        assert response.status == 503
        return await upstream.error_body(response, target)

    head = b"HTTP/1.1 503 No\r\ncontent-length: %d\r\n\r\n" % len(body)
    with RawServer(head + body) as server:
        assert _post(make_target("t", base_url=server.url), read=error) == kept


def test_an_error_body_that_breaks_off_is_left_out() -> None:
    async def error(response: Response, target: Target) -> bytes:
        return await upstream.error_body(response, target)

    with RawServer(b"HTTP/1.1 500 No\r\ncontent-length: 99\r\n\r\n{") as server:
        assert _post(make_target("t", base_url=server.url), read=error) == b""


@pytest.mark.parametrize(
    ("given", "seconds", "told"), [(b"retry-after: 1.2", 1.2, 2), (b"retry-after-ms: 300", 0.3, 1)]
)
def test_a_wait_is_told_to_the_client_in_whole_seconds(
    given: bytes, seconds: float, told: int
) -> None:
    async def look(response: Response, target: Target) -> tuple[float | None, int | None]:
        failed = upstream.failure(response, b"", target)
        return upstream.asked_to_wait(response), failed.retry_after

    raw = b"HTTP/1.1 429 No\r\ncontent-length: 0\r\n" + given + b"\r\n\r\n"
    with RawServer(raw) as server:
        assert _post(make_target("t", base_url=server.url), read=look) == (seconds, told)
