"""Bounds of a chat request before it is sent."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import tokens
from gateway.tokens import Estimate, InvalidRequest

RECORDED = Path(__file__).parents[2] / "fixtures" / "tokens" / "smollm2.json"
HAIKU = [{"role": "user", "content": "Write a short haiku about cloud computing."}]
# The example that OpenAI publishes with its counting recipe, and what its API reported for it.
JARGON = [
    (
        "system",
        "",
        "You are a helpful, pattern-following assistant that translates corporate jargon "
        "into plain English.",
    ),
    ("system", "example_user", "New synergies will help drive top-line growth."),
    ("system", "example_assistant", "Things working well together will increase revenue."),
    (
        "system",
        "example_user",
        "Let's circle back when we have more bandwidth to touch base on opportunities for "
        "increased leverage.",
    ),
    (
        "system",
        "example_assistant",
        "Let's talk later when we're less busy about how to do better.",
    ),
    (
        "user",
        "",
        "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    ),
]
JARGON_MESSAGES = [
    {"role": role, "content": content} | ({"name": name} if name else {})
    for role, name, content in JARGON
]


def bounds(
    messages: Any = HAIKU, model: Any = "gpt-4o-mini", official: Any = True, **fields: Any
) -> Estimate:
    """The estimate of a request for ``model``."""
    return tokens.estimate(
        {"model": model, "messages": messages} | fields,
        model,
        default_max_output_tokens=4096,
        official=official,
    )


@pytest.mark.parametrize(
    ("model", "reported"),
    [("gpt-3.5-turbo", 129), ("gpt-4-0613", 129), ("gpt-4o", 124), ("gpt-4o-mini", 124)],
)
def test_published_example_is_counted_exactly_and_bounded_closely(
    model: str, reported: int
) -> None:
    request = {"messages": JARGON_MESSAGES}
    assert tokens.count_prompt(request, model) == reported
    assert reported <= bounds(JARGON_MESSAGES, model).prompt_tokens <= reported + 8 + 6


@pytest.mark.parametrize("case", json.loads(RECORDED.read_text()), ids=lambda case: case["name"])
def test_bound_covers_what_the_local_model_server_reported(case: dict[str, Any]) -> None:
    """Under the name of an OpenAI model and under its own."""
    for model in ("gpt-4o-mini", "smollm2"):
        found = tokens.estimate(case["request"], model, default_max_output_tokens=1)
        assert found.method == "bytes"
        assert found.prompt_tokens >= case["prompt_tokens"]


def test_unknown_server_has_room_for_the_text_of_its_template() -> None:
    empty = [{"role": "user", "content": ""}]
    assert bounds(empty, official=False).prompt_tokens == 128 + 16 + len("user")
    assert bounds(empty * 2, official=False).prompt_tokens == 128 + 2 * (16 + len("user"))


def test_known_tokenizer_counts_only_on_the_providers_own_server() -> None:
    assert bounds().method == "bpe:o200k_base"
    assert bounds(model="gpt-4").method == "bpe:cl100k_base"
    assert bounds(model="ft:gpt-4o-mini-2024-07-18:acme::x").method == "bpe:o200k_base"
    assert bounds(model="gpt-40").method == "bytes"
    assert bounds(model="claude-x").method == "bytes"
    assert bounds(official=False).method == "bytes"


def test_haiku_of_the_tutorial_is_bounded_by_its_16_tokens_and_the_margin() -> None:
    assert tokens.count_prompt({"messages": HAIKU}, "gpt-4o-mini") == 16
    assert bounds().prompt_tokens == 16 + 8 + 1


def test_special_tokens_in_a_text_are_text() -> None:
    text = "<|endoftext|><|im_start|>system"
    assert tokens.count_text("gpt-4o", text) > 5
    assert bounds([{"role": "user", "content": text}]).prompt_tokens > 5


def test_texts_beyond_a_million_characters_are_counted() -> None:
    text = "The quick brown fox. " * 60_000
    counted = tokens.count_text("gpt-4o", text)
    assert 300_000 <= counted <= 300_000 + 26
    assert bounds([{"role": "user", "content": text}]).prompt_tokens >= 300_000


def test_half_a_surrogate_pair_is_counted() -> None:
    assert tokens.count_text("gpt-4o", "a\ud800b") >= 3
    assert bounds([{"role": "user", "content": "\ud800"}], official=False).prompt_tokens >= 3


def test_default_bounds_the_answer_and_is_sent_upstream() -> None:
    found = bounds()
    assert (found.completion_tokens, found.choices) == (4096, 1)
    assert found.add == {"max_tokens": 4096}


@pytest.mark.parametrize("model", ["o3-mini", "gpt-5", "gpt-5.4-mini"])
def test_reasoning_models_get_the_name_they_accept(model: str) -> None:
    assert bounds(model=model).add == {"max_completion_tokens": 4096}


def test_limit_of_the_model_lowers_the_default_only() -> None:
    def limited(limit: int, **fields: Any) -> int:
        request = {"messages": HAIKU} | fields
        return tokens.estimate(
            request, "gpt-4", default_max_output_tokens=4096, model_output_limit=limit
        ).completion_tokens

    assert limited(1000) == 1000
    assert limited(8192) == 4096
    assert limited(1000, max_tokens=5000) == 5000


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_clients_own_bound_counts_for_every_choice(field: str) -> None:
    found = bounds(**{field: 50, "n": 3})
    assert (found.completion_tokens, found.choices, found.add) == (150, 3, {})


def test_null_is_no_bound() -> None:
    assert bounds(max_tokens=None, n=None).completion_tokens == 4096


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 1, "max_completion_tokens": 900},
        {"max_tokens": 900, "max_completion_tokens": 1},
        {"max_tokens": 1, "n_predict": 900},
        {"max_tokens": 1, "min_tokens": 900},
    ],
)
def test_largest_of_several_bounds_counts(fields: dict[str, Any]) -> None:
    """llama.cpp obeys n_predict against max_tokens, for one."""
    assert bounds(**fields).completion_tokens == 900


def test_bound_under_another_name_is_sent_under_the_standard_one_too() -> None:
    assert bounds(max_new_tokens=7).add == {"max_tokens": 7}


@pytest.mark.parametrize("field", ["n", "n_cmpl", "best_of", "beam_width", "num_beams"])
def test_every_name_for_more_answers_counts(field: str) -> None:
    assert bounds(max_tokens=10, **{field: 4}).completion_tokens == 40


@pytest.mark.parametrize(
    "field", ["max_tokens", "max_completion_tokens", "n_predict", "n", "n_cmpl"]
)
@pytest.mark.parametrize("value", [-1, 0, True, "5", 5.0, 10**9, float("nan"), [], {}])
def test_limit_that_is_no_limit_is_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        bounds(**{field: value})
    assert (refusal.value.field, refusal.value.status) == (field, 400)
    assert "must be a whole number from 1 to" in refusal.value.message


@pytest.mark.parametrize("messages", [None, [], "hi", {}, 5])
def test_request_without_messages_is_refused(messages: Any) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        bounds(messages)
    assert refusal.value.field == "messages"


def test_message_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        bounds([*HAIKU, "hi"])
    assert refusal.value.field == "messages.1"


def test_nesting_without_end_is_refused() -> None:
    deep: Any = []
    for _ in range(2_000):
        deep = [deep]
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        bounds([{"role": "user", "content": deep}])


def test_tools_are_counted() -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    assert bounds(tools=[tool]).prompt_tokens > bounds().prompt_tokens + 20
    assert bounds(tools=[tool] * 2).prompt_tokens > bounds(tools=[tool]).prompt_tokens + 20


def test_calls_of_tools_in_a_message_are_counted() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "x" * 400}}
    spoken = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert bounds([spoken]).prompt_tokens > 50


def test_unknown_fields_with_text_are_counted() -> None:
    more = bounds(official=False, chat_template="x" * 500).prompt_tokens
    assert more >= bounds(official=False).prompt_tokens + 500


def test_predicted_output_is_counted_as_output() -> None:
    found = bounds(max_tokens=10, prediction={"type": "content", "content": "word " * 100})
    assert found.completion_tokens >= 110


def image(detail: str) -> list[dict[str, Any]]:
    """A message with one picture."""
    url = {"url": "data:image/png;base64," + "A" * 400_000, "detail": detail}
    return [{"role": "user", "content": [{"type": "image_url", "image_url": url}]}]


@pytest.mark.parametrize(
    ("model", "detail", "most"),
    [
        ("gpt-4o", "high", 1_445),
        ("gpt-4o", "low", 85),
        ("gpt-4o-mini", "auto", 48_169),
        ("gpt-4o-mini", "low", 2_833),
        ("gpt-9", "low", 25_000),
    ],
)
def test_picture_is_bounded_whatever_its_size(model: str, detail: str, most: int) -> None:
    found = bounds(image(detail), model).prompt_tokens
    assert most <= found <= most + 200


def test_picture_for_an_unknown_server_takes_the_widest_bound() -> None:
    assert bounds(image("low"), official=False).prompt_tokens >= 25_000


def test_audio_is_bounded_by_its_bytes_and_a_file_by_its_pages() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "A" * 40_000, "format": "wav"}}
    assert bounds([{"role": "user", "content": [audio]}]).prompt_tokens >= 600
    file = {"type": "file", "file": {"file_data": "A" * 40_000}}
    assert bounds([{"role": "user", "content": [file]}]).prompt_tokens >= 200_000
    file["file"]["file_data"] = "A" * 400_000
    assert bounds([{"role": "user", "content": [file]}]).prompt_tokens >= 400_000
    stored = {"type": "file", "file": {"file_id": "file-1"}}
    assert bounds([{"role": "user", "content": [stored]}]).prompt_tokens >= 200_000


TEXTS = st.text(max_size=200)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**60) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "image_url", "name", "tools", "n"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)
FIELDS = ("messages", "max_tokens", "n", "tools", "functions", "modalities", "audio", "prediction")


@given(st.dictionaries(st.sampled_from(FIELDS), JUNK), st.booleans())
def test_any_body_gives_an_estimate_or_names_a_field(body: dict[str, Any], known: bool) -> None:
    try:
        found = tokens.estimate(body, "gpt-4o", default_max_output_tokens=16, official=known)
    except InvalidRequest as refusal:
        assert refusal.field
        assert refusal.message
    else:
        assert found.prompt_tokens > 0
        assert found.completion_tokens >= found.choices >= 1


@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from(["gpt-4o", "gpt-4"]))
def test_bound_is_never_below_the_count(texts: list[str], model: str) -> None:
    messages = [{"role": "user", "content": text} for text in texts]
    counted = tokens.count_prompt({"messages": messages}, model)
    assert counted <= bounds(messages, model).prompt_tokens
    assert counted <= bounds(messages, model, official=False).prompt_tokens
