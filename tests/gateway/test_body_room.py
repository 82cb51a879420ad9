"""Bodies that never end: they take room from their sender, not from everybody."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway, eventually

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

LONGEST = 10 * 1024 * 1024
CHUNK = 65_536


@pytest.fixture
def gateway(world: World, serve: Serve, settings: Any) -> Iterator[RunningGateway]:
    settings.GATEWAY_BODY_MEGABYTES = 40
    yield serve()


def _begin(stack: ExitStack, gateway: RunningGateway, key: str, length: str) -> socket.socket:
    client = stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
    client.settimeout(20)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-consumer-group: {key}\r\n{length}"
    client.sendall(f"{head}\r\n\r\n".encode())
    return client


def _held(gateway: RunningGateway) -> int:
    return gateway.application.crowd._all_bytes


def test_an_announced_body_leaves_no_room_for_another_of_its_sender(
    world: World, gateway: RunningGateway
) -> None:
    with ExitStack() as stack:
        _begin(stack, gateway, world.key, f"content-length: {LONGEST}")
        eventually(lambda: _held(gateway) == LONGEST, what="a body announced")

        refused = gateway.chat(world.key)

        assert (refused.status, refused.error["code"]) == (429, "too_many_concurrent_requests")
        assert refused.headers["retry-after"] == "1"
    eventually(lambda: _held(gateway) == 0, what="its bytes back")
    assert gateway.chat(world.key).status == 200
    eventually(lambda: _held(gateway) == 0, what="the bytes of the answered request back")


def test_a_body_in_chunks_takes_room_as_it_arrives(world: World, gateway: RunningGateway) -> None:
    with ExitStack() as stack:
        client = _begin(stack, gateway, world.key, "transfer-encoding: chunked")
        client.sendall(b"%x\r\n" % CHUNK + b"x" * CHUNK + b"\r\n")

        eventually(lambda: _held(gateway) == CHUNK, what="one chunk")
    eventually(lambda: _held(gateway) == 0, what="its bytes back")
