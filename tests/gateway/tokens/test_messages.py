"""Bounds of a message of Anthropic's API before it is sent."""

from typing import Any

import pytest

from gateway import tokens
from gateway.tokens import Estimate, InvalidRequest


def bounds(content: Any = "Hello", **fields: Any) -> Estimate:
    official = fields.pop("official", False)
    model = fields.pop("model", "claude-sonnet-5")
    request = {"max_tokens": 100, "messages": [{"role": "user", "content": content}]} | fields
    return tokens.message_estimate(
        request, model, default_max_output_tokens=4096, official=official
    )


def test_a_text_is_bounded_by_its_bytes_even_at_the_provider_itself() -> None:
    assert bounds("x" * 100, official=True).prompt_tokens == 128 + 16 + 1 + 100


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "x" * 500},
        {"type": "tool_use", "name": "f", "input": {"a": "x" * 500}},
        {"type": "tool_result", "tool_use_id": "t", "content": "x" * 500},
        {"type": "tool_result", "content": [{"type": "text", "text": "x" * 500}]},
        {"type": "thinking", "thinking": "x" * 500, "signature": "s"},
        {"type": "redacted_thinking", "data": "x" * 500},
        {"type": "document", "source": {"type": "text", "data": "x" * 500}},
        {"type": "document", "title": "x" * 500, "source": {"type": "text", "data": ""}},
        {
            "type": "document",
            "source": {"type": "content", "content": [{"type": "text", "text": "x" * 500}]},
        },
        {"type": "search_result", "content": [{"type": "text", "text": "x" * 500}]},
        {"type": "something_new", "deep": {"er": ["x" * 500]}},
    ],
    ids=lambda block: block["type"],
)
def test_every_block_is_counted(block: dict[str, Any]) -> None:
    assert bounds([block]).prompt_tokens >= 128 + 16 + 500


@pytest.mark.parametrize("system", ["x" * 500, [{"type": "text", "text": "x" * 500}]], ids=type)
def test_a_system_prompt_is_counted(system: Any) -> None:
    assert bounds(system=system).prompt_tokens >= 128 + 16 + 500


def test_pictures_have_bounds_of_their_own_wherever_they_are() -> None:
    picture = {"type": "image", "source": {"type": "base64", "data": "x" * 90_000}}

    assert bounds([picture]).prompt_tokens == 128 + 16 + 1 + 25_000
    assert bounds([picture], official=True).prompt_tokens == 128 + 16 + 1 + 5_000
    inside = {"type": "tool_result", "content": [picture]}
    assert bounds([inside]).prompt_tokens >= 25_000


@pytest.mark.parametrize(
    "source",
    [
        {"type": "base64", "media_type": "application/pdf", "data": "x" * 100},
        {"type": "url", "url": "https://example.org/a.pdf"},
        {"type": "file", "file_id": "file_1"},
    ],
    ids=lambda source: source["type"],
)
def test_documents_are_bounded_by_what_they_may_hold(source: dict[str, Any]) -> None:
    assert bounds([{"type": "document", "source": source}]).prompt_tokens >= 200_000


def test_tools_and_what_the_provider_writes_about_its_own_are_counted() -> None:
    tool = {"name": "f", "input_schema": {"description": "x" * 500}}
    assert bounds(tools=[tool]).prompt_tokens >= 128 + 512 + 1000
    assert bounds(tools=[{"type": "bash_20250124", "name": "bash"}]).prompt_tokens >= 4_096


def test_the_clients_bound_is_the_bound() -> None:
    found = bounds()

    assert (found.completion_tokens, found.add) == (100, {})


def test_thinking_is_part_of_the_bound_unless_it_may_be_more() -> None:
    def most(budget: int) -> int:
        thinking = {"type": "enabled", "budget_tokens": budget}
        return bounds(thinking=thinking).completion_tokens

    assert most(50) == 100
    assert most(5_000) == 5_100


def test_filling_the_cache_writes_nothing() -> None:
    assert bounds(max_tokens=0).completion_tokens == 0


def test_a_thread_is_bounded_by_the_context_window() -> None:
    thread = {"type": "continue", "previous_message_id": "msg_1"}

    assert bounds(official=True, thread=thread).prompt_tokens == 1_000_000
    assert bounds(thread=thread).features == ("thread",)
    assert bounds(thread={"type": "create"}).features == ()


def test_a_tool_that_a_message_adds_is_a_tool() -> None:
    def added(tool: dict[str, Any]) -> tuple[str, ...]:
        return bounds([{"type": "tool_addition", "tool": tool}]).features

    search = {"type": "web_search_20260318", "name": "w"}
    assert added({"type": "tool_definition", "definition": search}) == ("tool:web_search_20260318",)
    assert added({"type": "tool_reference", "tool_name": "f"}) == ()


@pytest.mark.parametrize("value", [None, -1, "9", 1.5, True, 10**9], ids=str)
def test_a_bound_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bounds(max_tokens=value)

    assert refused.value.field == "max_tokens"


def test_counting_tokens_is_bounded_by_nothing() -> None:
    found = tokens.no_estimate({}, "claude-sonnet-5", default_max_output_tokens=1)

    assert (found.prompt_tokens, found.completion_tokens, found.features) == (0, 0, ())
