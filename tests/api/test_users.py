"""/v1/users."""

import pytest

from tests.api.client import Caller
from tests.api.conftest import World
from wallets.models import Membership, User


def test_a_person_is_shown_with_role_and_teams(world: World, admin: Caller) -> None:
    body = admin.get(f"users/{world.lead.public_id}").body
    assert (body["username"], body["role"]) == ("lena", "member")
    assert body["teams"] == [{"team_id": "team_engineering", "role": "lead"}]


def test_a_person_is_made(world: World, admin: Caller) -> None:
    body = {"username": "zoe", "email": "zoe@example.org", "password": "correct horse battery"}
    answer = admin.post("users", {**body, "role": "auditor"})
    assert (answer.status, answer.body["role"]) == (201, "auditor")
    assert "password" not in answer.text
    assert User.objects.get(username="zoe").check_password("correct horse battery")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "mia"}, "username"),
        ({"username": "a b"}, "username"),
        ({"email": "nowhere"}, "email"),
        ({"password": "short"}, "password"),
        ({"role": "king"}, "role"),
    ],
)
def test_bad_input_makes_nobody(
    world: World, admin: Caller, changes: dict[str, str], field: str
) -> None:
    before = User.objects.count()
    answer = admin.post("users", {"username": "zoe", **changes})
    assert (answer.status, answer.error["details"]["field"]) == (422, field)
    assert User.objects.count() == before


def test_a_lead_sees_their_people_a_member_only_themself(world: World) -> None:
    seen = {
        role: [row["username"] for row in world.callers[role].get("users").body["results"]]
        for role in ("lead", "member", "stranger")
    }
    assert seen == {"lead": ["lena", "mia"], "member": ["mia"], "stranger": ["bob"]}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"team_id": "team_engineering"}, ["lena", "mia"]),
        ({"role": "auditor"}, ["auditor"]),
        ({"search": "len"}, ["lena"]),
        ({"team_id": "team_research"}, []),
    ],
)
def test_filters(world: World, admin: Caller, query: dict[str, str], names: list[str]) -> None:
    rows = admin.get("users", **query).body["results"]
    assert [row["username"] for row in rows] == names


def test_the_last_admin_stays(world: World, admin: Caller) -> None:
    last = User.objects.get(username="admin").public_id
    answers = [admin.patch(f"users/{last}", {"role": "member"}), admin.delete(f"users/{last}")]
    assert [(answer.status, answer.error["code"]) for answer in answers] == [
        (409, "last_admin"),
        (409, "last_admin"),
    ]
    assert Membership.objects.get(user__username="admin").role == "admin"


def test_a_foreign_person_is_404(world: World, admin: Caller) -> None:
    assert admin.get(f"users/{world.beta_user.public_id}").status == 404
    assert admin.delete(f"users/{world.beta_user.public_id}").status == 404
