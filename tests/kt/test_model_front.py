"""The local model's answers are bounded, whatever length a caller asks for."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from keeptrusts.model_server import front
from keeptrusts.model_server.llama import LONGEST_ANSWER
from tests.fakes.upstream import FakeUpstream

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Write a long essay."}]}


@pytest.fixture
def behind() -> Iterator[FakeUpstream]:
    with FakeUpstream() as server:
        yield server


def asked(behind: FakeUpstream, body: bytes) -> tuple[int, str]:
    """The status and the text of the answer to `body`."""

    async def ask() -> tuple[int, str]:
        address = behind.url.removesuffix("/v1")
        app = front.application(behind=address, longest=LONGEST_ANSWER)
        async with TestClient(TestServer(app)) as client:
            answer = await client.post("/v1/chat/completions", data=body)
            return answer.status, await answer.text()

    return asyncio.run(ask())


@pytest.mark.parametrize("name", front.LENGTHS)
@pytest.mark.parametrize("length", [LONGEST_ANSWER + 1, 1e9, -1])
def test_a_longer_wish_is_cut_to_1024(behind: FakeUpstream, name: str, length: float) -> None:
    status, _ = asked(behind, json.dumps(CHAT | {name: length}).encode())
    assert (status, behind.requests[0].body) == (200, CHAT | {name: 1024})


@pytest.mark.parametrize("wish", [{}, {"max_tokens": 1024}, {"max_tokens": None}])
def test_other_requests_pass_as_they_are(behind: FakeUpstream, wish: dict[str, object]) -> None:
    body = json.dumps(CHAT | wish).encode()
    asked(behind, body)
    assert behind.requests[0].raw == body


def test_streams_pass_whole(behind: FakeUpstream) -> None:
    status, text = asked(behind, json.dumps(CHAT | {"stream": True}).encode())
    assert status == 200
    assert text.endswith("data: [DONE]\n\n")


def test_errors_pass_as_they_are(behind: FakeUpstream) -> None:
    behind.behave(status=400, error={"error": {"message": "no"}})
    assert asked(behind, b"garbage") == (400, '{"error": {"message": "no"}}')
