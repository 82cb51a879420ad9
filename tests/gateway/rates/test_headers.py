"""The header format of the OpenAI API."""

import pytest

from gateway.policy.schema import RateLimits
from gateway.rates import headers
from gateway.rates.rules import Standing, Use, rules_of


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0, "0s"), (20, "20ms"), (1_000, "1s"), (1_500, "1.5s"), (61_000, "1m1s"),
        (360_000, "6m0s"), (3_600_500, "1h0m0.5s"), (86_400_000, "24h0m0s"), (1_001, "1.001s"),
    ],
)  # fmt: skip
def test_durations_are_written_as_openai_writes_them(milliseconds: int, shown: str) -> None:
    assert headers.duration(milliseconds) == shown


def test_of_two_limits_of_tokens_the_tighter_is_told() -> None:
    limits = RateLimits(requests_per_minute=60, tokens_per_minute=1_000, tokens_per_day=5_000)
    requests, minute, day = rules_of(limits)
    found = dict(
        headers.of(
            [
                Standing(Use(requests, 1), 1, 0, 61_000),
                Standing(Use(minute, 10), 10, 0, 61_000),
                Standing(Use(day, 10), 4_990, 0, 3_600_000),
            ]
        )
    )

    assert found == {
        b"x-ratelimit-limit-requests": b"60",
        b"x-ratelimit-remaining-requests": b"59",
        b"x-ratelimit-reset-requests": b"1m1s",
        b"x-ratelimit-limit-tokens": b"5000",
        b"x-ratelimit-remaining-tokens": b"10",
        b"x-ratelimit-reset-tokens": b"1h0m0s",
    }
