"""Targets without servers, and a clock that only tests move."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.policy import Target
from gateway.policy.schema import Timeouts

MakeTarget = Callable[..., Target]


class Clock:
    """Seconds; ``clock.pass_(5)`` lets time pass."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


def make_target(name: str, **fields: Any) -> Target:
    """A target with the defaults of the policy file."""
    given: dict[str, Any] = {
        "id": name,
        "provider": "openai",
        "base_url": f"http://{name}.example/v1",
        "api_key": None,
        "models": (),
        "weight": 1,
        "priority": 0,
        "timeouts": Timeouts(),
        "on_disconnect": "drain",
        "official": False,
    }
    return Target(**given | fields)


@pytest.fixture
def clock() -> Clock:
    return Clock()
