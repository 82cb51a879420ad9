"""Bounds of a response before it is sent."""

from typing import Any

import pytest

from gateway import tokens
from gateway.tokens import Estimate, InvalidRequest


def bounds(given: Any = "Hello", *, model: str = "gpt-4o-mini", **fields: Any) -> Estimate:
    official = fields.pop("official", False)
    return tokens.response_estimate(
        {"model": model, "input": given} | fields,
        model,
        default_max_output_tokens=4096,
        official=official,
    )


def message(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "message", "role": "user", "content": list(parts)}]


def test_a_text_is_bounded_by_its_bytes_where_the_server_is_unknown() -> None:
    assert bounds("x" * 100).prompt_tokens == 128 + 16 + 1 + 100
    assert bounds("x" * 100).method == "bytes"


def test_the_bound_is_sent_under_the_routes_own_name() -> None:
    assert bounds().add == {"max_output_tokens": 4096}
    assert bounds(max_output_tokens=50).add == {}
    assert bounds(max_output_tokens=50).completion_tokens == 50


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n_predict"])
def test_another_name_for_the_bound_counts_too(name: str) -> None:
    other: dict[str, Any] = {name: 900}

    assert bounds(max_output_tokens=5, **other).completion_tokens == 900


def test_instructions_tools_and_formats_are_read_too() -> None:
    plain = bounds().prompt_tokens

    assert bounds(instructions="x" * 500).prompt_tokens >= plain + 500
    tool = {"type": "function", "name": "f", "parameters": {"description": "x" * 500}}
    assert bounds(tools=[tool]).prompt_tokens >= plain + 500
    schema = {"format": {"type": "json_schema", "schema": {"description": "x" * 500}}}
    assert bounds(text=schema).prompt_tokens >= plain + 500


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": "x" * 500},
        {"type": "function_call", "name": "f", "arguments": "x" * 500},
        {"type": "function_call_output", "output": "x" * 500},
        {"type": "function_call_output", "output": [{"type": "input_text", "text": "x" * 500}]},
        {"type": "reasoning", "encrypted_content": "x" * 500, "summary": []},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "x" * 500}]},
        {"type": "custom_tool_call", "input": "x" * 500},
        {"type": "something_new", "deep": {"er": ["x" * 500]}},
    ],
    ids=lambda item: item.get("type", "message"),
)
def test_every_item_is_counted(item: dict[str, Any]) -> None:
    assert bounds([item]).prompt_tokens >= 128 + 16 + 500


def test_pictures_and_files_have_bounds_of_their_own() -> None:
    assert bounds(message({"type": "input_image", "image_url": "data:"})).prompt_tokens >= 25_000
    assert bounds(message({"type": "input_file", "file_id": "file_1"})).prompt_tokens >= 200_000
    sent = {"type": "input_file", "file_data": "x" * 900}
    # Pages may be compressed to a few bytes each.
    assert bounds(message(sent)).prompt_tokens >= 200_000


def test_a_picture_in_low_detail_takes_less_of_a_known_model() -> None:
    low = {"type": "input_image", "image_url": "data:", "detail": "low"}

    assert bounds(message(low), model="gpt-4o", official=True).prompt_tokens < 85 + 40


@pytest.mark.parametrize(
    "fields",
    [{"previous_response_id": "resp_1"}, {"conversation": {"id": "conv_1"}}],
    ids=["response", "conversation"],
)
def test_what_is_kept_at_the_provider_is_bounded_by_the_context_window(
    fields: dict[str, Any],
) -> None:
    found = bounds(official=True, **fields)

    assert (found.prompt_tokens, found.method, found.features) == (128_000, "window", ())


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_1"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
    ],
    ids=["reference", "bare id", "reasoning"],
)
def test_an_item_that_stands_for_more_is_bounded_by_the_context_window(
    item: dict[str, Any],
) -> None:
    assert bounds([item], official=True).prompt_tokens == 128_000
    assert bounds([item]).features == ("stored_items",)


def test_without_a_known_window_what_is_kept_has_no_price() -> None:
    kept: dict[str, Any] = {"previous_response_id": "resp_1"}

    assert bounds(**kept).features == ("previous_response_id",)
    assert bounds(model="no-such-model", official=True, **kept).features == (
        "previous_response_id",
    )


def test_a_template_has_no_price_even_where_the_window_is_known() -> None:
    found = bounds(None, official=True, prompt={"id": "pmpt_1"})

    assert found.features == ("prompt",)


def test_the_input_may_be_left_out_where_something_is_kept() -> None:
    assert bounds(None, official=True, previous_response_id="resp_1").prompt_tokens == 128_000
    with pytest.raises(InvalidRequest):
        bounds(None)


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "name": "f"},
        {"type": "custom", "name": "f"},
        {"type": "local_shell"},
        {"type": "shell", "environment": {"type": "local"}},
        {"type": "tool_search", "execution": "client"},
    ],
    ids=lambda tool: tool["type"],
)
def test_tools_that_the_client_runs_are_no_features(tool: dict[str, Any]) -> None:
    assert bounds(tools=[tool]).features == ()
