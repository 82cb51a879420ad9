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
        (_said([{"type": "text", "text": "Look"}, SCAN]), ["Look"]),
        ({"messages": [{"role": "assistant", "tool_calls": [CALL]}]}, ['call_1\nrun\n{"a": 1}']),
        (
            _said([{"type": "tool_use", "id": "t", "input": {"data": "a", "id": "b c"}}]),
            ["t\na\nb c"],
        ),
        ({"prompt": ["One", "Two"], "suffix": "End"}, ["One", "Two", "End"]),
        ({"instructions": "Rhyme.", "input": INPUT}, ["Rhyme.", "Sea"]),
        ({"system": [{"type": "text", "text": "S"}]} | _said("M"), ["S", "M"]),
        ({"input": "Embed me"}, ["Embed me"]),
        ({"tools": [TOOL]}, ["f\nTells."]),
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


def _use(arguments: dict[str, Any]) -> dict[str, Any]:
    return _said([{"type": "tool_use", "id": "t", "name": "say", "input": arguments}])


def _document(**source: str) -> dict[str, Any]:
    return _said([{"type": "document", "source": source}])


WORDS = "I_hate_them_" * 30
FILE = "data:text/plain;base64,SSBoYXRlIHRoZW0="
PICTURE = "data:image/png;base64," + "AAAA" * 100


@pytest.mark.parametrize(
    ("request_body", "shown"),
    [
        (_use({"I hate them": True}), "I hate them"),
        ({"tools": [{"function": {"parameters": {"properties": {"I hate": {}}}}}]}, "I hate"),
        (_document(type="text", media_type="text/plain", data=WORDS), WORDS),
        (_document(type="base64", media_type="text/plain", data="SSBoYXRl"), "I hate"),
        (_said([{"type": "input_file", "file_data": FILE}]), "I hate them"),
        (_said([{"type": "I-hate-them"}]), "I-hate-them"),
        (_said([{"type": "tool_result", "tool_use_id": "I_hate", "content": ""}]), "I_hate"),
        ({"tool_choice": {"type": "function", "function": {"name": "hate"}}}, "hate"),
        ({"chat_template_kwargs": {"system_prompt": "I hate"}}, "I hate"),
        ({"guided_json": {"title": "I hate"}}, "I hate"),
        (_said([{"type": "text", "text": "I ha"}, {"type": "text", "text": "te"}]), "I hate"),
        (
            _said([{"type": "text", "text": "I ha", "x": "-"}, {"type": "text", "text": "te"}]),
            "I hate",
        ),
        (_use({"image_url": {"url": PICTURE}}), PICTURE),
        (_said([{"type": "text", "text": PICTURE}]), PICTURE),
    ],
    ids=[
        *("a name in arguments", "a name in a schema", "a document without blanks"),
        *("a document in base64", "a file of text", "an unknown type", "an id", "tool_choice"),
        *("a template's arguments", "a guide", "two parts", "two parts and a field between"),
        *("a picture that is an argument", "a picture that is a text"),
    ],
)
def test_no_text_hides(request_body: dict[str, Any], shown: str) -> None:
    assert any(shown in piece for piece in texts_of(request_body))


@pytest.mark.parametrize(
    "block",
    [
        IMAGE,
        SCAN,
        {"type": "input_image", "image_url": PICTURE},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "thinking", "thinking": "", "signature": "AAAA"},
        {"type": "redacted_thinking", "data": "AAAA"},
    ],
    ids=["link", "source", "image", "sound", "document", "signature", "sealed thoughts"],
)
def test_what_is_no_text_is_not_shown(block: dict[str, Any]) -> None:
    assert texts_of(_said([block])) == []


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
