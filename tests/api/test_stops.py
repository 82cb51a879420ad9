"""/v1/stops and /v1/audit-log."""

import pytest

from tests.api.client import Caller
from tests.api.conftest import World
from wallets.models import Revision, Stop


def test_a_stop_is_pulled_and_lifted(world: World, admin: Caller) -> None:
    body = {"scope": "team", "target": "team_marketing", "reason": "budget", "cut": True}
    answer = admin.post("stops", body)
    assert (answer.status, answer.body["cut"]) == (201, True)
    assert [row["target"] for row in admin.get("stops").body["results"]] == ["team_marketing"]
    before = Revision.objects.get().number
    assert admin.delete(f"stops/{answer.body['id']}").status == 204
    assert admin.get("stops").body["results"] == []
    assert Revision.objects.get().number > before
    assert admin.delete(f"stops/{answer.body['id']}").status == 204


def test_pulled_twice_it_is_one_stop(world: World, admin: Caller) -> None:
    ids = {admin.post("stops", {"scope": "model", "target": "gpt-4o"}).body["id"] for _ in range(2)}
    assert len(ids) == Stop.objects.count() == 1


def test_a_consumer_group_may_be_named(world: World, admin: Caller) -> None:
    answer = admin.post("stops", {"scope": "consumer_group", "target": "engineering"})
    assert answer.body["target"] == world.group.public_id


@pytest.mark.parametrize(
    ("scope", "target", "status"),
    [
        ("team", "team_research", 404),
        ("user", "user_nobody", 404),
        ("key", "key_nothing", 404),
        ("consumer_group", "nobody", 404),
        ("organization", "org_other", 422),
        ("planet", "earth", 422),
        ("model", "", 422),
    ],
)
def test_a_target_that_is_not_here_is_refused(
    world: World, admin: Caller, scope: str, target: str, status: int
) -> None:
    assert admin.post("stops", {"scope": scope, "target": target}).status == status
    assert not Stop.objects.exists()


def test_a_foreign_stop_is_404(world: World, admin: Caller) -> None:
    pulled = admin.post("stops", {"scope": "model", "target": "gpt-4o"}).body["id"]
    assert world.callers["stranger"].delete(f"stops/{pulled}").status == 404
    assert Stop.objects.get().lifted_at is None


def test_the_audit_log_says_who_did_what(world: World, admin: Caller) -> None:
    admin.post("stops", {"scope": "model", "target": "gpt-4o"})
    admin.post("teams", {"slug": "new", "name": "New", "draws_on_organization": True})
    rows = admin.get("audit-log").body["results"]
    assert [(row["action"], row["target"]) for row in rows] == [
        ("team.create", "team_new"),
        ("stop.pull", "model:gpt-4o"),
    ]
    assert rows[0]["actor"].startswith("tok_")
    assert rows[0]["address"] == "127.0.0.1"
    assert rows[0]["after"]["draws_on_parent"] is True


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"action": "stop."}, 1),
        ({"target": "team_new"}, 1),
        ({"actor": "tok_nobody"}, 0),
        ({"until": "2001-01-01T00:00:00Z"}, 0),
    ],
)
def test_the_audit_log_is_filtered(
    world: World, admin: Caller, query: dict[str, str], count: int
) -> None:
    admin.post("stops", {"scope": "model", "target": "gpt-4o"})
    admin.post("teams", {"slug": "new", "name": "New", "draws_on_organization": True})
    assert len(admin.get("audit-log", **query).body["results"]) == count


def test_nobody_reads_a_foreign_audit_log(world: World, admin: Caller) -> None:
    admin.post("stops", {"scope": "model", "target": "gpt-4o"})
    assert world.callers["stranger"].get("audit-log").body["results"] == []
