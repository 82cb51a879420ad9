"""Bounds of completions, embeddings and moderations before they are sent."""

from typing import Any

import pytest

from gateway import tokens
from gateway.tokens import Estimate, InvalidRequest


def completion(**fields: Any) -> Estimate:
    request = {"model": "gpt-3.5-turbo-instruct", "prompt": "Clouds"} | fields
    return tokens.completion_estimate(
        request, "gpt-3.5-turbo-instruct", default_max_output_tokens=4096
    )


def embedding(given: Any, official: bool = False) -> int:
    return tokens.embedding_estimate(
        {"input": given},
        "text-embedding-3-small",
        default_max_output_tokens=4096,
        official=official,
    ).prompt_tokens


def test_every_prompt_is_answered_as_often_as_asked() -> None:
    found = completion(prompt=["a", "b", "c"], n=2, max_tokens=50)

    assert (found.choices, found.completion_tokens, found.add) == (6, 300, {})


def test_every_beam_counts() -> None:
    found = completion(n=1, use_beam_search=True, beam_width=5, max_tokens=10)
    assert found.completion_tokens == 50


def test_best_of_counts_what_is_thrown_away() -> None:
    assert completion(n=1, best_of=5, max_tokens=10).completion_tokens == 50


def test_the_default_of_the_api_is_sent() -> None:
    found = completion()

    assert (found.completion_tokens, found.add) == (16, {"max_tokens": 16})


def test_another_name_for_the_bound_counts_too() -> None:
    assert completion(n_predict=900, max_tokens=5).completion_tokens == 900


def test_a_prompt_of_another_server_is_bounded_by_its_bytes() -> None:
    assert completion(prompt="é" * 10).prompt_tokens == 128 + 16 + 20


def test_a_suffix_is_read_too() -> None:
    assert completion(suffix="x" * 500).prompt_tokens >= 128 + 16 + 6 + 500


def test_tokens_count_one_each() -> None:
    assert embedding([1, 2, 3]) == 128 + 16 + 3
    assert embedding([[1, 2], [3]]) == 128 + 2 * 16 + 3


def test_the_tokenizer_counts_on_the_providers_own_server() -> None:
    assert embedding("Clouds drift by", official=True) < embedding("Clouds drift by")


@pytest.mark.parametrize(
    "given", [None, [], 7, True, {}, [[]], [[True]], [1, "a"], ["a", 1], [None]], ids=str
)
def test_what_is_no_input_is_refused(given: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        embedding(given)

    assert refused.value.field.startswith("input")


def test_more_inputs_than_anybody_sends_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        embedding(["a"] * 4097)


def test_pictures_may_be_moderated() -> None:
    found = tokens.moderation_estimate(
        {"input": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}]},
        "omni-moderation-latest",
        default_max_output_tokens=1,
    )

    assert found.prompt_tokens == 128 + 16 + 1 + 25_000
    assert found.add == {"model": "omni-moderation-latest"}
