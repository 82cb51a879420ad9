"""Two providers behind one gateway, with prices of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.models import DecisionEvent, ModelPrice
from tests.fakes.upstream import FakeUpstream
from tests.gateway.conftest import World
from tests.gateway.serving import RunningGateway
from wallets.models import Entry, Reservation

MODEL = "gpt-4o-mini"
MINI = (150_000_000, 600_000_000)
"""Nano-dollars per 1,000,000 tokens of gpt-4o-mini: input, output."""
NOT_THERE = {"error": {"message": "no", "type": "server_error", "param": None, "code": "down"}}
OUT_OF_QUOTA = {"error": {"message": "pay", "type": "insufficient_quota", "code": None}}


def price(provider: str, times: int) -> ModelPrice:
    """The model costs ``times`` as much at ``provider`` as at OpenAI; 0: nothing."""
    return ModelPrice.objects.create(
        provider=provider,
        model=MODEL,
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
        input=MINI[0] * times,
        output=MINI[1] * times,
        created_by="user_test",
    )


@dataclass
class Pair:
    """The first and the second target; the second is asked when the first fails."""

    world: World
    first: FakeUpstream
    second: FakeUpstream
    serve: Callable[..., RunningGateway]

    def start(self, *, second: dict[str, Any] | None = None, **changes: Any) -> RunningGateway:
        """A gateway in front of both."""
        first = {"id": "first", "provider": "openai", "base_url": self.first.url}
        other = {"id": "second", "provider": "other", "base_url": self.second.url, "priority": 1}
        targets = [first | changes.pop("first", {}), other | (second or {})]
        return self.serve(providers={"targets": targets}, **changes)

    @property
    def asked(self) -> tuple[int, int]:
        """How many requests each has got."""
        return len(self.first.requests), len(self.second.requests)


def attempts(event: DecisionEvent) -> list[dict[str, Any]]:
    """Without their times, which are whole milliseconds."""
    assert all(isinstance(row["ms"], int) and row["ms"] >= 0 for row in event.attempts)
    return [{name: value for name, value in row.items() if name != "ms"} for row in event.attempts]


def settled(world: World, cost: int, *, parts: int = 1) -> Reservation:
    """One hold of ``parts`` parts, settled to ``cost`` and nothing left of it."""
    hold = Reservation.objects.get()
    assert (hold.state, hold.cost, hold.charged) == ("settled", cost, cost)
    entries = Entry.objects.filter(reservation=hold.pk)
    assert entries.filter(type="reserve").count() == parts
    assert entries.filter(type="settle").count() == 1
    wallet = world.wallet
    assert (wallet.posted, wallet.reserved) == (10_000_000_000 - cost, 0)
    return hold
