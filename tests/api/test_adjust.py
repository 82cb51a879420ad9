"""POST /v1/wallets/adjust."""

from decimal import Decimal

import pytest

from gateway.models import DecisionEvent
from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World
from tests.factories import nano


@pytest.fixture
def event(world: World) -> DecisionEvent:
    """A request of engineering that cost 3 dollars."""
    return factories.spend(world.wallet(world.engineering), 3)


def _body(event: DecisionEvent, amount: str) -> dict[str, object]:
    return {"event_id": event.pk, "amount": Decimal(amount), "description": "Wrong model"}


@pytest.mark.parametrize(
    ("amount", "balance"), [("3", "200"), ("0.000000001", "197.000000001"), ("-7", "190")]
)
def test_a_charge_is_corrected_either_way(
    world: World, admin: Caller, event: DecisionEvent, amount: str, balance: str
) -> None:
    answer = admin.post("wallets/adjust", _body(event, amount))
    assert (answer.status, str(answer.body["balance"])) == (200, balance)
    assert answer.body["transactions"][0]["type"] == "adjustment"
    assert world.wallet(world.engineering).balance == nano(balance)


@pytest.mark.parametrize(
    ("amount", "status"), [("3.01", 409), ("-197.01", 402), ("0", 422), ("-0.0000000001", 422)]
)
def test_it_gives_back_no_more_than_the_charge_and_takes_no_more_than_there_is(
    world: World, admin: Caller, event: DecisionEvent, amount: str, status: int
) -> None:
    before = world.balances()
    assert admin.post("wallets/adjust", _body(event, amount)).status == status
    assert world.balances() == before


def test_a_refused_request_has_no_charge_to_correct(world: World, admin: Caller) -> None:
    blocked = factories.make_event(world.acme, verdict="block", status=402)
    answer = admin.post("wallets/adjust", _body(blocked, "1"))
    assert (answer.status, answer.error["code"]) == (409, "not_charged")


def test_a_foreign_event_is_404(world: World, event: DecisionEvent) -> None:
    before = world.balances()
    assert world.callers["stranger"].post("wallets/adjust", _body(event, "1")).status == 404
    assert world.balances() == before


def test_the_receipt_shows_the_correction(
    world: World, admin: Caller, event: DecisionEvent
) -> None:
    admin.post("wallets/adjust", _body(event, "0.5"))
    charge = admin.get(f"events/{event.pk}").body["charge"]
    assert (charge["charged"], str(charge["adjusted"])) == (3, "-0.5")
