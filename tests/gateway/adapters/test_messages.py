"""Messages of a chat become turns that alternate, with every tool call answered in the next."""

import json
from typing import Any

import orjson
import pytest
from anthropic.types import message_create_params
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gateway.adapters.anthropic import AnthropicChat
from gateway.proxy.errors import Rejected

Message = dict[str, Any]


def said(text: str) -> Message:
    return {"type": "text", "text": text}


def call(number: str, arguments: str = "{}", name: str = "weather") -> Message:
    return {"id": number, "type": "function", "function": {"name": name, "arguments": arguments}}


def used(number: str, **given: Any) -> Message:
    return {"type": "tool_use", "id": number, "name": "weather", "input": given}


def result(number: str, text: str) -> Message:
    return {"type": "tool_result", "tool_use_id": number, "content": [said(text)]}


def body(*messages: Message) -> dict[str, Any]:
    return AnthropicChat().request({"model": "m", "max_tokens": 1, "messages": list(messages)})


def turns(*messages: Message) -> list[Message]:
    return [{turn["role"]: turn["content"]} for turn in body(*messages)["messages"]]


def refused(*messages: Message) -> tuple[str | None, str | None]:
    with pytest.raises(Rejected) as refusal:
        body(*messages)
    assert refusal.value.status == 400
    return refusal.value.param, refusal.value.code


USER = {"role": "user", "content": "Hello"}
ASKS = {"role": "assistant", "content": None, "tool_calls": [call("a"), call("b")]}


def test_system_and_developer_stand_before_the_conversation_together() -> None:
    written = body(
        {"role": "system", "content": "Be brief."},
        USER,
        {
            "role": "developer",
            "content": [said("In French.") | {"cache_control": {"type": "ephemeral"}}],
        },
    )
    assert written["system"] == [
        said("Be brief."),
        {"type": "text", "text": "In French.", "cache_control": {"type": "ephemeral"}},
    ]
    assert written["messages"] == [{"role": "user", "content": [said("Hello")]}]


def test_neighbours_of_one_role_become_one_turn() -> None:
    messages = [USER, {"role": "user", "content": "Again"}, {"role": "assistant", "content": "Yes"}]
    assert turns(*messages, {"role": "assistant", "content": "?"}, USER) == [
        {"user": [said("Hello"), said("Again")]},
        {"assistant": [said("Yes"), said("?")]},
        {"user": [said("Hello")]},
    ]


def test_blank_messages_are_left_out() -> None:
    blank = {"role": "assistant", "content": " \n"}
    assert turns(USER, blank, {"role": "user", "content": [said("")]}, USER) == [
        {"user": [said("Hello"), said("Hello")]}
    ]


def test_parallel_calls_are_answered_in_one_turn() -> None:
    assert turns(
        USER,
        {"role": "assistant", "content": "Let me see.", "tool_calls": [
            call("a", '{"city": "Bern"}'), call("b", ""),
        ]},
        {"role": "tool", "tool_call_id": "b", "content": "rain"},
        {"role": "tool", "tool_call_id": "a", "content": [said("sun")]},
        {"role": "user", "content": "And?"},
    ) == [
        {"user": [said("Hello")]},
        {"assistant": [said("Let me see."), used("a", city="Bern"), used("b")]},
        {"user": [result("b", "rain"), result("a", "sun"), said("And?")]},
    ]  # fmt: skip


def test_results_come_before_what_the_user_said_meanwhile() -> None:
    answers = [{"role": "tool", "tool_call_id": number, "content": "x"} for number in "ab"]
    assert turns(USER, ASKS, {"role": "user", "content": "Wait"}, *answers)[-1] == {
        "user": [result("a", "x"), result("b", "x"), said("Wait")]
    }


def test_a_result_without_content_says_nothing() -> None:
    asks = {"role": "assistant", "tool_calls": [call("a")]}
    assert turns(USER, asks, {"role": "tool", "tool_call_id": "a", "content": ""})[-1] == {
        "user": [{"type": "tool_result", "tool_use_id": "a"}]
    }


def test_a_picture_can_be_the_result_of_a_tool() -> None:
    asks = {"role": "assistant", "tool_calls": [call("a")]}
    picture = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
    source = {"type": "url", "url": "https://x.test/a.png"}
    answers = {"role": "tool", "tool_call_id": "a", "content": [picture]}
    assert turns(USER, asks, answers)[-1]["user"][0]["content"] == [
        {"type": "image", "source": source}
    ]


def test_functions_of_the_older_kind_are_answered_by_name() -> None:
    asks = {"role": "assistant", "function_call": {"name": "weather", "arguments": "{}"}}
    assert turns(USER, asks, {"role": "function", "name": "weather", "content": "sun"})[1:] == [
        {"assistant": [used("call_1")]},
        {"user": [result("call_1", "sun")]},
    ]


def test_ids_with_other_characters_become_digests_on_both_sides() -> None:
    asks = {"role": "assistant", "tool_calls": [call("functions.weather:0")]}
    answer = {"role": "tool", "tool_call_id": "functions.weather:0", "content": "x"}
    written = turns(USER, asks, answer)
    number = written[1]["assistant"][0]["id"]
    assert number.startswith("call_")
    assert len(number) == 37
    assert written[2]["user"] == [result(number, "x")]


def test_what_an_assistant_refused_goes_as_its_text() -> None:
    refusal = {"role": "assistant", "content": None, "refusal": "No.", "reasoning_content": "Hm"}
    assert turns(USER, refusal, USER)[1] == {"assistant": [said("No.")]}


def test_an_answer_that_was_begun_does_not_end_in_white_space() -> None:
    assert turns(USER, {"role": "assistant", "content": "It is \n"})[1] == {
        "assistant": [said("It is")]
    }


def test_an_echo_of_our_own_answer_is_understood() -> None:
    answer = AnthropicChat().answer(
        {"content": [said("Hi"), used("a", x=1)], "stop_reason": "tool_use"}
    )
    message = answer["choices"][0]["message"]
    results = {"role": "tool", "tool_call_id": "a", "content": "x"}
    assert turns(USER, message, results)[1] == {"assistant": [said("Hi"), used("a", x=1)]}


def test_cache_control_of_a_message_marks_its_last_block() -> None:
    marked = {**USER, "cache_control": {"type": "ephemeral"}}
    assert turns(marked) == [{"user": [said("Hello") | {"cache_control": {"type": "ephemeral"}}]}]


DEEP = '{"a":' * 250 + "1" + "}" * 250


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "messages"),
        ([{"role": "system", "content": "Only this."}], "messages"),
        ([{"role": "user", "content": ""}], "messages"),
        ([7], "messages.0"),
        ([{"role": "user", "content": 7}], "messages.0.content"),
        ([{"role": "user", "content": [7]}], "messages.0.content.0"),
        ([USER, ASKS], "messages"),
        ([USER, ASKS, USER, {"role": "assistant", "content": "x"}], "messages.3"),
        ([USER, {"role": "tool", "tool_call_id": "a", "content": ""}], "messages.1.tool_call_id"),
        ([USER, {"role": "tool", "content": ""}], "messages.1.tool_call_id"),
        ([USER, {"role": "function", "name": "f", "content": ""}], "messages.1.name"),
        (
            [USER, {"role": "assistant", "tool_calls": [call("a"), call("a")]}],
            "messages.1.tool_calls",
        ),
        ([USER, {"role": "assistant", "tool_calls": 7}], "messages.1.tool_calls"),
        ([USER, {"role": "assistant", "tool_calls": [7]}], "messages.1.tool_calls.0"),
        *(
            (
                [USER, {"role": "assistant", "tool_calls": [call("a", arguments)]}],
                "messages.1.tool_calls.0.function.arguments",
            )
            for arguments in ("{", "[]", "7", DEEP)
        ),
        (
            [USER, {"role": "assistant", "tool_calls": [call("a", name="a b")]}],
            "messages.1.tool_calls.0.function.name",
        ),
        (
            [USER, {"role": "assistant", "tool_calls": [call("")]}],
            "messages.1.tool_calls.0.id",
        ),
    ],
)  # fmt: skip
def test_a_conversation_that_makes_no_sense_is_refused_by_name(
    messages: list[Any], field: str
) -> None:
    assert refused(*messages) == (field, "invalid_request")


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"role": "critic", "content": "x"}, "messages.1.role"),
        ({"role": ["user"], "content": "x"}, "messages.1.role"),
        ({"role": "assistant", "audio": {"id": "audio_1"}}, "messages.1.audio"),
        ({"role": "assistant", "tool_calls": [{"type": "custom", "function": {}}]},
         "messages.1.tool_calls.0.type"),
        ({"role": "system", "content": [{"type": "image_url"}]}, "messages.1.content.0.type"),
        ({"role": "assistant", "content": [{"type": "image_url"}]}, "messages.1.content.0.type"),
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_said_is_refused_by_name(message: Message, field: str) -> None:
    assert refused(USER, message) == (field, "unsupported_field")


REQUESTS: TypeAdapter[Any] = TypeAdapter(message_create_params.MessageCreateParamsNonStreaming)

TEXTS = st.sampled_from(["", " ", "Hello", "Grüße\n", "x "])
IDS = st.sampled_from(["a", "b", "c:d", ""])
ARGUMENTS = st.sampled_from(["", "{}", '{"x": [1]}', "[", "7"])
PARTS = st.one_of(
    st.builds(said, TEXTS),
    st.just({"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}),
    st.just({"type": "image_url", "image_url": {"url": "data:image/gif;base64,AAAA"}}),
    st.just({"type": "refusal", "refusal": "No."}),
    st.builds(lambda text: said(text) | {"cache_control": {"type": "ephemeral"}}, TEXTS),
    st.sampled_from([7, {}, {"type": "input_audio"}]),
)
CONTENTS = st.one_of(TEXTS, st.none(), st.lists(PARTS, max_size=3))
CALLS = st.lists(st.builds(call, IDS, ARGUMENTS), max_size=2)
MESSAGES = st.one_of(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "developer"]), "content": CONTENTS}
    ),
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": CONTENTS}, optional={"tool_calls": CALLS}
    ),
    st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": IDS, "content": CONTENTS}),
    st.fixed_dictionaries(
        {"role": st.just("function"), "name": st.just("weather"), "content": CONTENTS}
    ),
)
SENSIBLE = st.sampled_from(
    [
        [USER],
        [{"role": "assistant", "content": "Yes"}],
        [ASKS, *({"role": "tool", "tool_call_id": number, "content": "x"} for number in "ba")],
        [{"role": "system", "content": "Be brief."}],
    ]
)
CHATS = st.one_of(
    st.lists(MESSAGES, max_size=6),
    st.lists(SENSIBLE, max_size=4).map(lambda chats: [one for chat in chats for one in chat]),
)


@given(messages=CHATS)
def test_any_messages_give_a_valid_request_or_a_named_400(messages: list[Any]) -> None:
    try:
        written = body(*messages)
    except Rejected as refusal:
        assert refusal.status == 400
        assert refusal.param is not None
        assert refusal.param.startswith("messages")
        return
    check(written)


def exhaust(value: Any) -> None:
    """Go to the end of everything: types that say "iterable" are checked on the way."""
    for item in value.values() if isinstance(value, dict) else value:
        if not isinstance(item, str) and hasattr(item, "__iter__"):
            exhaust(item)


def check(written: dict[str, Any]) -> None:
    """Whether Anthropic would take it: its own types, and the rules they do not tell."""
    exhaust(REQUESTS.validate_python(written, strict=True))
    assert orjson.loads(orjson.dumps(written)) == json.loads(json.dumps(written))
    blocks = [block for turn in written["messages"] for block in turn["content"]]
    assert all(block["text"].strip() for block in blocks if block["type"] == "text")
    roles = [turn["role"] for turn in written["messages"]]
    assert roles
    assert all(first != second for first, second in zip(roles, roles[1:], strict=False))
    waiting: list[str] = []
    for turn in written["messages"]:
        kinds = [block["type"] for block in turn["content"]]
        results = [one["tool_use_id"] for one in turn["content"] if one["type"] == "tool_result"]
        assert kinds
        assert kinds[: len(results)] == ["tool_result"] * len(results)
        assert sorted(results) == sorted(waiting)
        waiting = [one["id"] for one in turn["content"] if one["type"] == "tool_use"]
    assert waiting == []
