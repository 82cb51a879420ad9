"""Anthropic's usage: what it leaves out of ``input_tokens`` is part of the prompt here."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pricing import Usage
from gateway.pricing.usage import (
    CLAMPED,
    COMPLETION_MISSING,
    INPUT_PARTS,
    MAX_TOKENS,
    OUTPUT_PARTS,
    PROMPT_MISSING,
)


def test_the_prompt_includes_what_was_read_from_and_written_to_the_cache() -> None:
    usage, flags = Usage.from_anthropic(
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 1000,
            "cache_creation_input_tokens": 500,
            "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200},
            "output_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 3},
        }
    )

    assert flags == frozenset()
    assert usage == Usage(
        prompt_tokens=1510,
        completion_tokens=7,
        cached_tokens=1000,
        cache_write_tokens=300,
        cache_write_1h_tokens=200,
        reasoning_tokens=3,
    )


def test_writes_of_unknown_duration_are_those_of_five_minutes() -> None:
    usage, _ = Usage.from_anthropic({"input_tokens": 1, "cache_creation_input_tokens": 500})

    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) == (500, 0)


def test_a_reported_zero_is_not_missing() -> None:
    usage, flags = Usage.from_anthropic({"input_tokens": 0, "output_tokens": 0})

    assert (usage, flags) == (Usage(), frozenset())


@pytest.mark.parametrize("reported", [None, {}, [], "many", 7, {"input_tokens": None}], ids=str)
def test_nothing_reported_is_missing(reported: Any) -> None:
    usage, flags = Usage.from_anthropic(reported)

    assert usage == Usage()
    assert flags == {PROMPT_MISSING, COMPLETION_MISSING}


def test_a_prompt_read_from_the_cache_alone_is_not_missing() -> None:
    usage, flags = Usage.from_anthropic({"cache_read_input_tokens": 9, "output_tokens": 1})

    assert (usage.prompt_tokens, usage.cached_tokens, flags) == (9, 9, frozenset())


def test_kinds_of_writes_beyond_their_total_count_and_are_flagged() -> None:
    usage, flags = Usage.from_anthropic(
        {
            "input_tokens": 1,
            "output_tokens": 1,
            "cache_creation_input_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6},
        }
    )

    assert flags == {CLAMPED}
    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) == (4, 6)
    assert usage.prompt_tokens == 11


def test_negative_counts_are_clamped_and_never_credited() -> None:
    usage, flags = Usage.from_anthropic(
        {"input_tokens": -5, "cache_read_input_tokens": -9, "output_tokens": -1}
    )

    assert usage == Usage()
    assert flags == {CLAMPED}


anything = st.one_of(
    st.none(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.booleans(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=2),
)
reports = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": anything,
        "cache_read_input_tokens": anything,
        "cache_creation_input_tokens": anything,
        "output_tokens": anything,
        "cache_creation": st.one_of(
            anything,
            st.fixed_dictionaries(
                {},
                optional={
                    "ephemeral_5m_input_tokens": anything,
                    "ephemeral_1h_input_tokens": anything,
                },
            ),
        ),
        "output_tokens_details": st.one_of(
            anything, st.fixed_dictionaries({"thinking_tokens": anything})
        ),
    },
)


@given(reports)
def test_whatever_is_reported_the_parts_fit_into_their_wholes(reported: dict[str, Any]) -> None:
    usage, _ = Usage.from_anthropic(reported)

    assert all(getattr(usage, name) >= 0 for name in Usage.__slots__)
    assert sum(getattr(usage, name) for name in INPUT_PARTS) <= usage.prompt_tokens <= MAX_TOKENS
    assert sum(getattr(usage, name) for name in OUTPUT_PARTS) <= usage.completion_tokens
