"""What a moderation is shown: every text that may reach the model, nothing else."""

from typing import Any

import pytest

from gateway.moderation.texts import MAX_CHARACTERS, Unreadable, texts_of


def _said(content: Any, role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content}]}


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "AAAA" * 100}}
SCAN = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA" * 100},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "run", "arguments": '{"a": 1}'}}
TOOL = {"type": "function", "function": {"name": "f", "description": "Tells."}}
INPUT = [{"role": "user", "content": [{"type": "input_text", "text": "Sea"}]}]


@pytest.mark.parametrize(
    ("request_body", "shown"),
    [
        (_said("Hi"), ["Hi"]),
        (_said([{"type": "text", "text": "Look"}, IMAGE]), ["Look"]),
        (_said([{"type": "text", "text": "Look"}, SCAN]), ["Look", "image/png"]),
        ({"messages": [{"role": "assistant", "tool_calls": [CALL]}]}, ["run", '{"a": 1}']),
        (
            _said([{"type": "tool_use", "id": "t", "input": {"data": "a", "id": "b c"}}]),
            ["a", "b c"],
        ),
        ({"prompt": ["One", "Two"], "suffix": "End"}, ["One", "Two", "End"]),
        ({"instructions": "Rhyme.", "input": INPUT}, ["Rhyme.", "Sea"]),
        ({"system": [{"type": "text", "text": "S"}]} | _said("M"), ["S", "M"]),
        ({"input": "Embed me"}, ["Embed me"]),
        ({"tools": [TOOL]}, ["f", "Tells."]),
        ({"model": "m", "user": "bad", "metadata": {"a": "bad"}}, []),
    ],
    ids=[
        *("chat", "chat with an image", "messages with an image", "arguments of calls"),
        *("input of tools", "completions", "responses", "messages", "embeddings", "tools"),
        "no prompt",
    ],
)
def test_texts_of_every_route_are_found(request_body: dict[str, Any], shown: list[str]) -> None:
    found = texts_of(request_body)

    assert sorted(found) == sorted(shown)


def test_a_long_text_is_shown_in_pieces_that_overlap() -> None:
    text = "".join(chr(ord("a") + i % 26) for i in range(20_000))

    pieces = texts_of({"input": text})

    assert max(len(piece) for piece in pieces) == MAX_CHARACTERS
    assert [len(piece) for piece in pieces] == [8_000, 8_000, 4_400]
    assert pieces[0][-200:] == pieces[1][:200]
    assert pieces[0] + pieces[1][200:] + pieces[2][200:] == text


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]])
def test_token_numbers_cannot_be_read(tokens: list[Any]) -> None:
    with pytest.raises(Unreadable):
        texts_of({"input": tokens})
