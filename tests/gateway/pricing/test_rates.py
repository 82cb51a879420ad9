"""The arithmetic from tokens to nano-dollars."""

from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pricing import Band, Rates, Tier, Usage, cost_nanos, worst_case_nanos

MINI = Rates(Band(input=150_000_000, output=600_000_000, cached_input=75_000_000))
TIERED = Rates(Band(input=10, output=20), (Tier(200_000, Band(input=30, output=40)),))
RATE = st.integers(0, 10**15)
BANDS = st.builds(
    Band,
    input=RATE,
    output=RATE,
    cached_input=st.none() | RATE,
    cache_write=st.none() | RATE,
    cache_write_1h=st.none() | RATE,
    reasoning=st.none() | RATE,
    audio_input=st.none() | RATE,
    audio_output=st.none() | RATE,
    image_input=st.none() | RATE,
)
RATES = st.builds(
    lambda base, tiers: Rates(base, tuple(Tier(s, b) for s, b in sorted(tiers.items()))),
    BANDS,
    st.dictionaries(st.integers(0, 3_000), BANDS, max_size=3),
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Usage whose parts fit into their wholes."""
    prompt = [draw(st.integers(0, 1_000)) for _ in range(6)]
    completion = [draw(st.integers(0, 1_000)) for _ in range(3)]
    return Usage(
        prompt_tokens=sum(prompt),
        completion_tokens=sum(completion),
        cached_tokens=prompt[1],
        cache_write_tokens=prompt[2],
        cache_write_1h_tokens=prompt[3],
        audio_input_tokens=prompt[4],
        image_input_tokens=prompt[5],
        reasoning_tokens=completion[1],
        audio_output_tokens=completion[2],
    )


def test_tutorial_call_costs_17100_nanos() -> None:
    assert cost_nanos(Usage(prompt_tokens=14, completion_tokens=25), MINI) == 17_100


def test_cached_input_is_part_of_the_prompt() -> None:
    usage = Usage(prompt_tokens=1_000, cached_tokens=500)
    rates = Rates(Band(input=2_500_000_000, output=0, cached_input=1_250_000_000))
    assert cost_nanos(usage, rates) == 1_875_000


def test_cost_is_rounded_up_once() -> None:
    rates = Rates(Band(input=1, output=1))
    assert cost_nanos(Usage(prompt_tokens=1, completion_tokens=1), rates) == 1
    assert cost_nanos(Usage(prompt_tokens=1_000_000), rates) == 1
    assert cost_nanos(Usage(prompt_tokens=1_000_001), rates) == 2
    assert cost_nanos(Usage(), rates) == 0


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(prompt_tokens=10, cached_tokens=10), 20),
        (Usage(prompt_tokens=10, cache_write_tokens=10), 30),
        (Usage(prompt_tokens=10, cache_write_1h_tokens=10), 40),
        (Usage(prompt_tokens=10, audio_input_tokens=10), 50),
        (Usage(prompt_tokens=10, image_input_tokens=10), 60),
        (Usage(completion_tokens=10), 70),
        (Usage(completion_tokens=10, reasoning_tokens=10), 80),
        (Usage(completion_tokens=10, audio_output_tokens=10), 90),
        (Usage(prompt_tokens=10), 10),
    ],
)
def test_every_class_pays_its_own_rate(usage: Usage, expected: int) -> None:
    million = 1_000_000
    band = Band(
        input=million,
        cached_input=2 * million,
        cache_write=3 * million,
        cache_write_1h=4 * million,
        audio_input=5 * million,
        image_input=6 * million,
        output=7 * million,
        reasoning=8 * million,
        audio_output=9 * million,
    )
    assert cost_nanos(usage, Rates(band)) == expected


def test_class_without_a_rate_pays_the_plain_one() -> None:
    rates = Rates(Band(input=1_000_000, output=2_000_000))
    usage = Usage(10, 10, cached_tokens=3, cache_write_tokens=3, reasoning_tokens=5)
    assert cost_nanos(usage, rates) == 30


def test_context_tier_begins_above_its_start_and_counts_for_everything() -> None:
    assert cost_nanos(Usage(200_000, 1_000_000), TIERED) == 2 + 20
    assert cost_nanos(Usage(200_001, 1_000_000), TIERED) == 7 + 40


def test_worst_case_takes_the_dearest_class() -> None:
    rates = Rates(
        Band(input=1_000_000, output=2_000_000, cache_write=1_250_000, reasoning=9_000_000)
    )
    assert worst_case_nanos(100, 10, rates) == 125 + 90


def test_worst_case_takes_audio_only_when_asked() -> None:
    rates = Rates(Band(input=1_000_000, output=1_000_000, audio_input=40_000_000))
    assert worst_case_nanos(10, 10, rates) == 20
    assert worst_case_nanos(10, 10, rates, audio=True) == 410


def test_worst_case_takes_the_tier_that_can_apply() -> None:
    assert worst_case_nanos(200_000, 1_000_000, TIERED) == 2 + 20
    assert worst_case_nanos(200_001, 1_000_000, TIERED) == 7 + 40


def test_cheaper_tier_does_not_lower_the_worst_case() -> None:
    rates = Rates(Band(input=2_000_000, output=0), (Tier(10, Band(input=1_000_000, output=0)),))
    assert worst_case_nanos(20, 0, rates) == 40


def test_free_is_a_price() -> None:
    assert Rates(Band(input=0, output=0)).free
    assert not Rates(Band(input=0, output=0, reasoning=1)).free
    assert cost_nanos(Usage(5, 5), Rates(Band(input=0, output=0))) == 0


def test_audio_without_a_price_is_known() -> None:
    assert not MINI.prices_audio
    assert Rates(Band(input=0, output=0, audio_output=0)).prices_audio


@pytest.mark.parametrize("starts", [(5, 5), (6, 5), (-1,)])
def test_tiers_must_rise(starts: tuple[int, ...]) -> None:
    band = Band(input=0, output=0)
    with pytest.raises(ValueError, match="must rise"):
        Rates(band, tuple(Tier(start, band) for start in starts))


@given(usages(), RATES)
def test_no_call_costs_more_than_its_worst_case(usage: Usage, rates: Rates) -> None:
    worst = worst_case_nanos(usage.prompt_tokens, usage.completion_tokens, rates, audio=True)
    assert 0 <= cost_nanos(usage, rates) <= worst


@given(usages(), RATES, st.integers(0, 2_000), st.integers(0, 2_000))
def test_worst_case_covers_every_smaller_call(
    usage: Usage, rates: Rates, more_prompt: int, more_completion: int
) -> None:
    prompt = usage.prompt_tokens + more_prompt
    completion = usage.completion_tokens + more_completion
    worst = worst_case_nanos(prompt, completion, rates, audio=True)
    assert cost_nanos(usage, rates) <= worst


@given(st.integers(0, 10**7), st.integers(0, 10**7), RATE, RATE)
def test_cost_is_the_exact_sum_rounded_up(prompt: int, completion: int, inp: int, out: int) -> None:
    dollars = (Decimal(prompt) * inp + Decimal(completion) * out).scaleb(-6)
    expected = int(dollars.to_integral_value(rounding=ROUND_CEILING))
    assert cost_nanos(Usage(prompt, completion), Rates(Band(input=inp, output=out))) == expected
