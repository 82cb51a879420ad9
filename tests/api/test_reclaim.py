"""POST /v1/wallets/reclaim."""

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World
from tests.factories import nano


def test_part_of_a_team_wallet_goes_back(world: World, admin: Caller) -> None:
    answer = admin.post("wallets/reclaim", {"team_id": "team_engineering", "amount": "50.25"})
    assert (answer.status, str(answer.body["balance"])) == (200, "149.75")
    assert answer.body["transactions"][0]["reference"]["type"] == "reclaim"
    assert world.wallet().balance == nano("1050.25")


def test_all_takes_what_is_available_and_leaves_open_holds(world: World, admin: Caller) -> None:
    factories.hold(world.wallet(world.engineering), 30)
    answer = admin.post("wallets/reclaim", {"team_id": "team_engineering", "amount": "all"})
    assert (answer.body["amount"], answer.body["balance"]) == (170, 0)
    assert world.wallet(world.engineering).reserved == nano(30)
    assert world.wallet().balance == nano(1170)


def test_a_persons_money_goes_back_to_the_team(world: World) -> None:
    body = {"user_id": world.member.public_id, "amount": "all"}
    assert world.callers["lead"].post("wallets/reclaim", body).status == 200
    assert world.wallet(world.engineering).balance == nano(220)


def test_more_than_available_changes_nothing(world: World, admin: Caller) -> None:
    factories.hold(world.wallet(world.engineering), 30)
    before = world.balances()
    answer = admin.post("wallets/reclaim", {"team_id": "team_engineering", "amount": 171})
    assert (answer.status, answer.error["details"]["available"]) == (402, 170)
    assert world.balances() == before


def test_all_of_nothing_is_refused(world: World, admin: Caller) -> None:
    answer = admin.post("wallets/reclaim", {"team_id": "team_marketing", "amount": "all"})
    assert (answer.status, answer.error["code"]) == (402, "insufficient_balance")


def test_the_organization_wallet_has_nothing_above(world: World, admin: Caller) -> None:
    body = {"wallet_id": world.wallet().public_id, "amount": 1}
    assert admin.post("wallets/reclaim", body).status == 422


def test_all_is_no_amount_to_allocate(world: World, admin: Caller) -> None:
    answer = admin.post("wallets/allocate", {"team_id": "team_marketing", "amount": "all"})
    assert (answer.status, answer.error["code"]) == (422, "invalid_amount")
