"""The lines of a receipt add up to what was charged."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.pricing import Usage, cost_nanos, lines
from gateway.pricing.rates import Band, Rates, Tier

rate = st.integers(0, 10**12)
optional = st.none() | rate
bands = st.builds(
    Band,
    input=rate, output=rate, cached_input=optional, cache_write=optional, cache_write_1h=optional,
    reasoning=optional, audio_input=optional, audio_output=optional, image_input=optional,
)  # fmt: skip
prices = st.builds(lambda base, tier: Rates(base, (Tier(1000, tier),)), bands, bands)
counts = st.integers(0, 5000)
usages = st.builds(
    lambda **classes: Usage(**classes).at_most(
        prompt=classes["prompt_tokens"], completion=classes["completion_tokens"]
    ),
    **dict.fromkeys(Usage.__slots__, counts),
)


@given(usages, prices)
def test_the_lines_add_up_to_the_cost(usage: Usage, rates: Rates) -> None:
    found = lines.read(lines.of(usage, rates))
    assert lines.total(found) == cost_nanos(usage, rates)


@given(usages, prices)
def test_every_token_stands_on_one_line(usage: Usage, rates: Rates) -> None:
    found = lines.read(lines.of(usage, rates))
    assert sum(line.tokens for line in found) == usage.total_tokens
    assert len({line.name for line in found}) == len(found)


def test_a_plain_call_has_two_lines() -> None:
    rates = Rates(Band(input=150_000_000, output=600_000_000))
    found = lines.of(Usage(prompt_tokens=14, completion_tokens=25), rates)
    assert found == [("input", 14, 150_000_000), ("output", 25, 600_000_000)]
    assert lines.total(lines.read(found)) == 17_100


def test_a_class_without_a_price_of_its_own_pays_what_it_is_counted_as() -> None:
    rates = Rates(Band(input=1_000_000, output=2_000_000, cache_write=3_000_000))
    usage = Usage(prompt_tokens=10, cached_tokens=4, cache_write_1h_tokens=5)
    assert lines.of(usage, rates) == [
        ("input", 1, 1_000_000),
        ("cached_input", 4, 1_000_000),
        ("cache_write_1h", 5, 3_000_000),
    ]
