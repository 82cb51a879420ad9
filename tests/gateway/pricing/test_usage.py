"""Reading what providers report, whatever they report."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pricing import Usage
from gateway.pricing.usage import merged

CLAMPED = frozenset({"usage_clamped"})
MISSING = frozenset({"prompt_tokens_missing", "completion_tokens_missing"})


def test_reads_the_classes_of_a_chat_answer() -> None:
    usage, flags = Usage.from_openai(
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 4},
        }
    )
    assert usage == Usage(
        100,
        50,
        cached_tokens=64,
        audio_input_tokens=8,
        reasoning_tokens=30,
        audio_output_tokens=4,
    )
    assert flags == frozenset()


def test_reads_the_names_of_the_responses_route() -> None:
    reported = {
        "input_tokens": 9,
        "output_tokens": 4,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens_details": {"reasoning_tokens": 3},
    }
    usage, flags = Usage.from_openai(reported)
    assert usage == Usage(9, 4, cached_tokens=2, reasoning_tokens=3)
    assert flags == frozenset()


def test_reported_zero_is_a_zero_and_not_missing() -> None:
    assert Usage.from_openai({"prompt_tokens": 0, "completion_tokens": 0}) == (Usage(), frozenset())


@pytest.mark.parametrize("nothing", [None, {}, [], "usage", 7, {"prompt_tokens": None}])
def test_nothing_reported_is_missing(nothing: Any) -> None:
    assert Usage.from_openai(nothing) == (Usage(), MISSING)


def test_half_of_it_missing_follows_from_the_total() -> None:
    assert Usage.from_openai({"total_tokens": 39, "prompt_tokens": 14}) == (
        Usage(14, 25),
        frozenset(),
    )
    assert Usage.from_openai({"total_tokens": 39, "completion_tokens": 25}) == (
        Usage(14, 25),
        frozenset(),
    )


def test_one_missing_without_a_total_is_named() -> None:
    usage, flags = Usage.from_openai({"prompt_tokens": 14})
    assert (usage, flags) == (Usage(14), frozenset({"completion_tokens_missing"}))


@pytest.mark.parametrize(
    ("reported", "read"),
    [(-1, 0), (-(10**30), 0), (10**30, 10_000_000), (10_000_001, 10_000_000), (12.0, 12)],
)
def test_absurd_numbers_are_brought_into_range(reported: float, read: int) -> None:
    usage, flags = Usage.from_openai({"prompt_tokens": reported, "completion_tokens": 1})
    assert usage == Usage(read, 1)
    assert flags == (frozenset() if reported == 12.0 else CLAMPED)


@pytest.mark.parametrize("reported", ["12", True, 1.5, float("nan"), float("inf"), [], {}])
def test_what_is_no_count_is_flagged_and_missing(reported: Any) -> None:
    usage, flags = Usage.from_openai({"prompt_tokens": reported, "completion_tokens": 1})
    assert usage == Usage(0, 1)
    assert flags == CLAMPED | {"prompt_tokens_missing"}


def test_part_larger_than_its_whole_is_cut() -> None:
    usage, flags = Usage.from_openai(
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 11},
        }
    )
    assert usage == Usage(10, 5, cached_tokens=10)
    assert flags == CLAMPED


def test_overlapping_classes_count_once() -> None:
    details = {"cached_tokens": 8, "audio_tokens": 5}
    usage, flags = Usage.from_openai(
        {"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": details}
    )
    assert usage == Usage(10, cached_tokens=8, audio_input_tokens=2)
    assert flags == frozenset()


def test_missing_counts_are_filled_by_counting() -> None:
    usage, flags = Usage.from_openai({"prompt_tokens": 3})
    assert usage.completed(flags, prompt=lambda: 99, completion=lambda: 7) == (
        Usage(3, 7),
        frozenset({"usage_estimated"}),
    )


def test_counting_happens_only_when_needed() -> None:
    def never() -> int:
        raise AssertionError("counted although it was reported")

    reported = Usage.from_openai({"prompt_tokens": 0, "completion_tokens": 2})
    assert reported[0].completed(reported[1], prompt=never, completion=never) == reported


def test_of_two_reports_the_larger_count_of_every_class_holds() -> None:
    first = Usage.from_openai(
        {
            "prompt_tokens": 10,
            "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": 10},
        }
    )
    second = Usage.from_openai(
        {"prompt_tokens": 10, "completion_tokens": 9, "prompt_tokens_details": {"audio_tokens": 3}}
    )
    assert merged(first, second) == (Usage(10, 9, cached_tokens=10), frozenset())


def test_a_later_report_that_takes_back_is_flagged() -> None:
    first = Usage.from_openai({"prompt_tokens": 14, "completion_tokens": 25})
    second = Usage.from_openai({"prompt_tokens": 14, "completion_tokens": 0})
    assert merged(first, second) == (Usage(14, 25), frozenset({"usage_conflicting"}))


def test_a_later_report_of_nothing_takes_nothing_back() -> None:
    first = Usage.from_openai({"prompt_tokens": 14, "completion_tokens": 25})
    assert merged(first, Usage.from_openai({})) == first


def test_bounds_cut_the_parts_with_their_whole() -> None:
    usage = Usage(100, 50, cached_tokens=90, audio_input_tokens=10, reasoning_tokens=40)
    assert usage.at_most(prompt=20, completion=30) == Usage(
        20, 30, cached_tokens=20, reasoning_tokens=30
    )


def test_event_records_totals_and_what_occurred() -> None:
    assert Usage(14, 25, cached_tokens=4).by_class() == {
        "prompt_tokens": 14,
        "completion_tokens": 25,
        "total_tokens": 39,
        "cached_tokens": 4,
    }


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens"),
                    *("prompt_tokens_details", "completion_tokens_details", "cached_tokens"),
                    *("reasoning_tokens", "audio_tokens", "cache_write_tokens"),
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(JUNK)
def test_any_report_gives_counts_that_fit_together(reported: Any) -> None:
    usage, _flags = Usage.from_openai(reported)
    inputs = usage.cached_tokens + usage.cache_write_tokens + usage.audio_input_tokens
    outputs = usage.reasoning_tokens + usage.audio_output_tokens
    assert 0 <= inputs + usage.image_input_tokens <= usage.prompt_tokens <= 10_000_000
    assert 0 <= outputs <= usage.completion_tokens <= 10_000_000
    assert all(count >= 0 for count in usage.by_class().values())
