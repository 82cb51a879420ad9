"""Clients that send too much, too slowly, or nothing at all."""

import json
import socket
import time
from collections.abc import Iterator

import pytest

from gateway.proxy import http
from keeptrusts.lib import bounded_http
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway, chat, eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway(serve: Serve) -> RunningGateway:
    return serve()


@pytest.fixture
def line(gateway: RunningGateway) -> Iterator[socket.socket]:
    """A bare connection to the gateway."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        yield connection


def _everything(line: socket.socket) -> bytes:
    parts = []
    while part := line.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def test_headers_that_are_too_large_are_431(line: socket.socket) -> None:
    long = b"x" * bounded_http.MAX_HEAD
    line.sendall(b"GET /healthz HTTP/1.1\r\nhost: here\r\nx-long: " + long + b"\r\n\r\n")
    assert _everything(line).startswith(b"HTTP/1.1 431 ")


def test_many_headers_count_together(line: socket.socket) -> None:
    many = b"".join(b"x-%d: %s\r\n" % (i, b"y" * 100) for i in range(700))
    line.sendall(b"GET /healthz HTTP/1.1\r\nhost: here\r\n" + many + b"\r\n")
    assert _everything(line).startswith(b"HTTP/1.1 431 ")


def test_a_header_that_never_ends_is_431_while_it_grows(line: socket.socket) -> None:
    line.sendall(b"GET /healthz HTTP/1.1\r\nx-long: ")
    for _ in range(5):
        line.sendall(b"x" * 16_384)
    assert _everything(line).startswith(b"HTTP/1.1 431 ")


def test_headers_just_below_the_bound_pass(line: socket.socket) -> None:
    long = b"x" * (bounded_http.MAX_HEAD - 200)
    request = b"GET /healthz HTTP/1.1\r\nhost: here\r\nconnection: close\r\nx-long: "
    line.sendall(request + long + b"\r\n\r\n")
    assert _everything(line).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_says_nothing_is_closed(
    monkeypatch: pytest.MonkeyPatch, gateway: RunningGateway
) -> None:
    monkeypatch.setattr(bounded_http, "HEAD_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as silent:
        begun = time.monotonic()
        assert _everything(silent) == b""
        assert time.monotonic() - begun < 15


def test_half_a_request_is_closed(monkeypatch: pytest.MonkeyPatch, gateway: RunningGateway) -> None:
    monkeypatch.setattr(bounded_http, "HEAD_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nhost: he")
        assert _everything(slow) == b""


def test_a_second_request_on_a_connection_has_its_own_bound(line: socket.socket) -> None:
    long = b"x" * (bounded_http.MAX_HEAD - 2_000)
    for _ in range(2):
        line.sendall(b"GET /healthz HTTP/1.1\r\nhost: here\r\nx-long: " + long + b"\r\n\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_who_reads_nothing_pays_and_holds_no_place(
    monkeypatch: pytest.MonkeyPatch, world: World, gateway: RunningGateway
) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.3)
    world.upstream.behave(words=("x" * 100_000,) * 300)
    body = json.dumps(chat(stream=True)).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: here\r\nx-consumer-group: {world.key}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as deaf:
        deaf.sendall(head.encode() + body)
        event = world.event(verdict="allow")
    assert event.cost == 17_100
    assert "client_disconnected" in event.flags
    eventually(lambda: len(gateway.application.running) == 0)


def test_a_body_that_does_not_come_is_408(
    monkeypatch: pytest.MonkeyPatch, world: World, line: socket.socket
) -> None:
    monkeypatch.setattr(http, "BODY_SECONDS", 0.2)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: here\r\nx-consumer-group: {world.key}\r\n"
    line.sendall(head.encode() + b"connection: close\r\ncontent-length: 100\r\n\r\n{")
    answer = _everything(line)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request_timeout" in answer
