"""/v1/teams and their members."""

import pytest

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World
from wallets.models import Team, TeamMembership

NEW = {"slug": "sales", "name": "Sales", "draws_on_organization": False}


def test_a_team_is_made_with_an_empty_wallet(world: World, admin: Caller) -> None:
    answer = admin.post("teams", {**NEW, "draw_per_month": None})
    assert (answer.status, answer.body["id"]) == (201, "team_sales")
    wallet = factories.team_wallet(Team.objects.get(slug="sales"))
    assert (wallet.public_id, wallet.balance) == (answer.body["wallet"], 0)
    assert wallet.draws_on_parent is False


def test_whether_it_draws_on_the_organization_must_be_chosen(world: World, admin: Caller) -> None:
    answer = admin.post("teams", {"slug": "sales", "name": "Sales"})
    assert (answer.status, answer.error["details"]["field"]) == (422, "draws_on_organization")


@pytest.mark.parametrize("slug", ["Sales", "a b", "-a", "", "x" * 64, "ä"])
def test_a_slug_must_be_plain(world: World, admin: Caller, slug: str) -> None:
    answer = admin.post("teams", {**NEW, "slug": slug})
    assert (answer.status, answer.error["details"]["field"]) == (422, "slug")


def test_a_slug_is_taken_once_per_organization(world: World, admin: Caller) -> None:
    assert admin.post("teams", {**NEW, "slug": "engineering"}).status == 409
    assert admin.post("teams", {**NEW, "slug": "research"}).status == 201


def test_a_cost_centre_is_set_from_a_day_on(world: World, admin: Caller) -> None:
    path = "teams/team_engineering"
    admin.patch(path, {"cost_centre": "CC-1", "cost_centre_from": "2020-01-01"})
    admin.patch(path, {"cost_centre": "CC-9", "cost_centre_from": "2999-01-01"})
    assert admin.get(path).body["cost_centre"] == "CC-1"


def test_a_team_with_money_cannot_end(world: World, admin: Caller) -> None:
    answer = admin.patch("teams/team_engineering", {"archived": True})
    assert (answer.status, answer.error["code"]) == (409, "wallet_not_empty")


def test_an_ended_team_is_filtered_out(world: World, admin: Caller) -> None:
    assert admin.patch("teams/team_marketing", {"archived": True}).body["archived"] is True
    assert [row["slug"] for row in admin.get("teams", archived="false").body["results"]] == [
        "engineering"
    ]


def test_members_come_and_go(world: World, admin: Caller) -> None:
    path = "teams/team_marketing/members"
    body = {"user_id": world.member.public_id, "role": "lead"}
    assert admin.post(path, body).body["role"] == "lead"
    rows = admin.get(path).body["results"]
    assert [(row["username"], row["role"]) for row in rows] == [("mia", "lead")]
    assert admin.delete(f"{path}/{world.member.public_id}").status == 204
    assert not TeamMembership.objects.filter(team=world.marketing).exists()


def test_a_lead_appoints_no_leads(world: World) -> None:
    body = {"user_id": world.member.public_id, "role": "lead"}
    answer = world.callers["lead"].post("teams/team_engineering/members", body)
    assert answer.status == 403
    assert TeamMembership.objects.get(user=world.member).role == "member"


def test_a_foreign_person_joins_no_team(world: World, admin: Caller) -> None:
    body = {"user_id": world.beta_user.public_id}
    assert admin.post("teams/team_engineering/members", body).status == 404


def test_a_change_that_is_refused_in_part_is_refused_whole(world: World, admin: Caller) -> None:
    answer = admin.patch("teams/team_engineering", {"name": "After", "archived": True})
    assert answer.status == 409
    assert Team.objects.get(slug="engineering").name != "After"
