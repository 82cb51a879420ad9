"""POST and GET /v1/wallets/users."""

from typing import Any

import pytest

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World
from tests.factories import nano
from wallets.models import Claim, Limit, Wallet


def _body(world: World, **changes: Any) -> dict[str, Any]:
    body = {"team_id": "team_engineering", "user_id": world.lead.public_id, "amount": 15}
    return {**body, **changes}


def test_a_wallet_is_made_funded_and_limited(world: World, admin: Caller) -> None:
    body = _body(world, daily_limit=5, monthly_limit=0, draws_on_team=False)
    answer = admin.post("wallets/users", body)
    assert (answer.status, answer.body["name"]) == (201, "lena (Engineering)")
    wallet = factories.user_wallet(world.engineering, world.lead)
    assert (wallet.balance, wallet.draws_on_parent) == (nano(15), False)
    assert world.wallet(world.engineering).balance == nano(185)
    limits = Limit.objects.filter(user=world.lead).values_list("period", "amount")
    assert sorted(limits) == [("day", nano(5)), ("month", 0)]


def test_without_an_amount_it_starts_empty(world: World, admin: Caller) -> None:
    answer = admin.post("wallets/users", _body(world, amount=None))
    assert (answer.status, answer.body["transactions"]) == (201, [])


def test_a_lead_does_it_in_their_own_team_only(world: World) -> None:
    lead = world.callers["lead"]
    assert lead.post("wallets/users", _body(world)).status == 201
    factories.make_user(world.acme, "max", member_of=(world.marketing,))
    assert lead.post("wallets/users", _body(world, team_id="team_marketing")).status in (403, 404)


def _nothing_made(world: World) -> bool:
    made = Wallet.objects.filter(user=world.lead).exists()
    return not made and not Limit.objects.filter(user=world.lead).exists()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"amount": 201}, 402),
        ({"amount": 0}, 422),
        ({"daily_limit": -1}, 422),
        ({"team_id": "team_research"}, 404),
        ({"team_id": "team_marketing", "amount": None}, 422),
        ({"currency": "EUR"}, 422),
        ({"wallet": "x"}, 422),
    ],
)
def test_a_refusal_leaves_nothing_behind(
    world: World, admin: Caller, changes: dict[str, Any], status: int
) -> None:
    before = world.balances()
    body = _body(world, **{"daily_limit": 5, **changes})
    assert admin.post("wallets/users", body).status == status
    assert _nothing_made(world)
    assert world.balances() == before


def test_a_second_wallet_is_a_conflict(world: World, admin: Caller) -> None:
    answer = admin.post("wallets/users", _body(world, user_id=world.member.public_id))
    assert (answer.status, answer.error["code"]) == (409, "wallet_exists")


def test_a_replay_answers_the_same_and_makes_nothing(world: World, admin: Caller) -> None:
    answers = [admin.post("wallets/users", _body(world), Idempotency_Key="k") for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].text == answers[1].text
    assert world.wallet(world.engineering).balance == nano(185)
    assert Claim.objects.count() == 1


def test_the_same_key_for_another_wallet_is_refused(world: World, admin: Caller) -> None:
    admin.post("wallets/users", _body(world), Idempotency_Key="k")
    answer = admin.post("wallets/users", _body(world, amount=16), Idempotency_Key="k")
    assert (answer.status, answer.error["code"]) == (422, "idempotency_key_reused")


def test_the_list_shows_people_only(world: World, admin: Caller) -> None:
    rows = admin.get("wallets/users").body["results"]
    assert [(row["scope"], row["balance"]) for row in rows] == [("user", 20)]
