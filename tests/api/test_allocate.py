"""POST /v1/wallets/allocate and /allocate/bulk."""

import pytest

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World
from tests.factories import nano
from wallets.models import AuditRecord

pytestmark = pytest.mark.engines


def test_a_team_is_funded_from_the_organization(world: World, admin: Caller) -> None:
    answer = admin.post(
        "wallets/allocate",
        {
            "team_id": "team_engineering",
            "amount": 500.00,
            "currency": "USD",
            "description": "Monthly LLM budget - April 2026",
        },
    )
    assert answer.status == 200
    shown = {name: answer.body[name] for name in ("team_id", "user_id", "amount", "balance")}
    assert shown == {"team_id": "team_engineering", "user_id": None, "amount": 500, "balance": 700}
    assert answer.body["description"] == "Monthly LLM budget - April 2026"
    assert [(t["type"], t["amount"], t["balance_after"]) for t in answer.body["transactions"]] == [
        ("allocation_out", -500, 500),
        ("allocation_in", 500, 700),
    ]
    assert world.wallet().balance == nano(500)
    assert world.wallet(world.engineering).balance == nano(700)


def test_allocation_adds(world: World, admin: Caller) -> None:
    for _ in range(2):
        admin.post("wallets/allocate", {"team_id": "team_marketing", "amount": "0.01"})
    assert world.wallet(world.marketing).balance == nano("0.02")


def test_a_person_is_funded_from_the_team(world: World, admin: Caller) -> None:
    body = {"user_id": world.member.public_id, "amount": 5}
    answer = admin.post("wallets/allocate", body)
    assert (answer.body["team_id"], answer.body["balance"]) == ("team_engineering", 25)
    assert world.wallet(world.engineering).balance == nano(195)


def test_the_source_may_be_named(world: World, admin: Caller) -> None:
    body = {"wallet_id": world.member_wallet.public_id, "amount": 5, "from": "organization"}
    assert admin.post("wallets/allocate", body).status == 200
    assert world.wallet().balance == nano(995)
    assert world.wallet(world.engineering).balance == nano(200)


def test_a_lead_cannot_take_from_the_organization(world: World) -> None:
    before = world.balances()
    body = {"user_id": world.member.public_id, "amount": 5, "from": "organization"}
    assert world.callers["lead"].post("wallets/allocate", body).status == 403
    assert world.balances() == before


def test_a_source_that_is_not_above_is_refused(world: World, admin: Caller) -> None:
    before = world.balances()
    body = {"team_id": "team_marketing", "amount": 5, "from": "team_engineering"}
    answer = admin.post("wallets/allocate", body)
    assert (answer.status, answer.error["details"]["field"]) == (422, "from")
    assert world.balances() == before


def test_more_than_available_is_402_with_amounts_in_dollars(world: World, admin: Caller) -> None:
    before = world.balances()
    answer = admin.post("wallets/allocate", {"team_id": "team_marketing", "amount": "1000.01"})
    assert (answer.status, answer.error["code"]) == (402, "insufficient_balance")
    details = answer.error["details"]
    assert (str(details["amount"]), details["available"]) == ("1000.01", 1000)
    assert details["wallet"] == world.wallet().public_id
    assert "wallet_id" not in details
    assert world.balances() == before


def test_a_person_without_a_wallet_is_404_that_says_what_to_do(world: World, admin: Caller) -> None:
    answer = admin.post("wallets/allocate", {"user_id": world.lead.public_id, "amount": 1})
    assert answer.status == 404
    assert "POST /v1/wallets/users" in answer.error["message"]


def test_a_person_with_wallets_in_two_teams_needs_the_team(world: World, admin: Caller) -> None:
    factories.make_user_wallet(world.marketing, world.member)
    answer = admin.post("wallets/allocate", {"user_id": world.member.public_id, "amount": 1})
    assert (answer.status, answer.error["details"]["field"]) == (422, "team_id")


def test_who_did_it_is_written_down(world: World, admin: Caller) -> None:
    admin.post("wallets/allocate", {"team_id": "team_marketing", "amount": 1})
    record = AuditRecord.objects.get(action="wallet.allocation")
    assert record.actor.startswith("tok_")
    assert record.organization == world.acme
    assert record.address == "127.0.0.1"


def test_bulk_moves_everything(world: World, admin: Caller) -> None:
    lines = [
        {"team_id": "team_engineering", "amount": 10},
        {"team_id": "team_marketing", "amount": "20.5"},
    ]
    answer = admin.post("wallets/allocate/bulk", {"allocations": lines, "description": "May"})
    assert (answer.status, str(answer.body["amount"])) == (200, "30.5")
    assert len(answer.body["transactions"]) == 4
    assert world.wallet().balance == nano("969.5")
    assert world.wallet(world.marketing).balance == nano("20.5")


@pytest.mark.parametrize(
    ("second", "status"),
    [
        ({"team_id": "team_marketing", "amount": 999}, 402),
        ({"team_id": "team_nowhere", "amount": 1}, 404),
        ({"team_id": "team_research", "amount": 1}, 404),
        ({"team_id": "team_marketing", "amount": -1}, 422),
        ({"team_id": "team_marketing", "amount": 1, "note": "x"}, 422),
    ],
)
def test_bulk_moves_nothing_when_one_line_cannot_be(
    world: World, admin: Caller, second: dict[str, object], status: int
) -> None:
    before = world.balances()
    lines = [{"team_id": "team_engineering", "amount": 10}, second]
    assert admin.post("wallets/allocate/bulk", {"allocations": lines}).status == status
    assert world.balances() == before


@pytest.mark.parametrize("lines", [[], "all", [5], [{"amount": 5, "team_id": "team_a"}] * 501])
def test_bulk_needs_a_list_of_a_sane_length(world: World, admin: Caller, lines: object) -> None:
    assert admin.post("wallets/allocate/bulk", {"allocations": lines}).status == 422


def test_bulk_over_different_parents_needs_a_source(world: World, admin: Caller) -> None:
    lines = [
        {"team_id": "team_marketing", "amount": 1},
        {"user_id": world.member.public_id, "amount": 1},
    ]
    answer = admin.post("wallets/allocate/bulk", {"allocations": lines})
    assert (answer.status, answer.error["details"]["field"]) == (422, "from")
    named = admin.post("wallets/allocate/bulk", {"allocations": lines, "from": "organization"})
    assert named.status == 200
    assert world.wallet().balance == nano(998)
