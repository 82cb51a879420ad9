"""The local model's answers are bounded, whatever length a caller asks for."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from keeptrusts.model_server import front
from keeptrusts.model_server.events import Numbering
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


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_events_of_responses_are_numbered_however_they_are_cut(size: int) -> None:
    sent: list[dict[str, object]] = [
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.output_item.added", "item": {"id": "a"}},
        {"type": "response.output_item.added", "item": {"id": "b"}},
        {"type": "response.content_part.added", "item_id": "b"},
        {"type": "response.output_text.delta", "item_id": "b", "delta": "Grüße"},
    ]
    raw = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in sent).encode() + b"x"
    numbering = Numbering()
    text = b"".join(numbering.feed(raw[at : at + size]) for at in range(0, len(raw), size))
    data = [json.loads(line[6:]) for line in text.splitlines() if line.startswith(b"data: ")]
    assert [event["sequence_number"] for event in data] == [0, 1, 2, 3, 4]
    assert [event.get("output_index") for event in data] == [None, 0, 1, 1, 1]
    assert [event.get("content_index") for event in data] == [None, None, None, 0, 0]
    assert data[0]["response"] == {"id": "r", "output": []}
    assert data[4]["delta"] == "Grüße"
    assert numbering.end() == b"x"


def test_errors_pass_as_they_are(behind: FakeUpstream) -> None:
    behind.behave(status=400, error={"error": {"message": "no"}})
    assert asked(behind, b"garbage") == (400, '{"error": {"message": "no"}}')
