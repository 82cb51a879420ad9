"""What /keeptrusts/config tells: what is in force, what is broken, and no secret."""

import json
from typing import Any

import pytest

from gateway.proxy import config
from gateway.targets import Breakers
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway, eventually
from wallets import revisions
from wallets.models import Stop

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

SECRET = "sk-of-the-provider-0123456789"


def described(gateway: RunningGateway, **more: Any) -> dict[str, Any]:
    snapshot = gateway.application.watcher.current
    assert snapshot is not None
    caller = next(one for one in snapshot.callers.values() if one.group_name == "engineering")
    return config.describe(gateway.application.watcher, caller, **more)


def test_it_tells_what_is_in_force(world: World, serve: Serve) -> None:
    gateway = serve(group={"allowed_models": ["gpt-4o"]})
    told = described(gateway)
    snapshot = gateway.application.watcher.current
    assert snapshot is not None
    assert told["config_version"] == snapshot.policy.config_version
    assert told["revision"] == snapshot.revision[0]
    assert (told["organization"], told["stops"], told["organization_in_debt"]) == (
        "acme",
        [],
        False,
    )
    assert told["policy"]["consumer_groups"][0]["allowed_models"] == ["gpt-4o"]
    assert told["file"] == {"state": "in_force", "message": "", "since": None, "problems": []}
    assert told["loaded_at"] is not None


def test_it_tells_no_secret_and_no_path(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVIDER_KEY", SECRET)
    gateway = serve(target={"secret_key_ref": {"env": "PROVIDER_KEY"}})
    _, other = factories.make_group_key(factories.make_consumer_group(world.team, "batch"))
    revisions.bump()
    told = json.dumps(described(gateway))
    for secret in (SECRET, world.key, other, str(gateway.path.parent)):
        assert secret not in told
    assert json.loads(told)["targets"][0]["key"] == "env: PROVIDER_KEY set"
    assert json.loads(told)["policy"]["consumer_groups"][0]["api_key"] == "(hidden)"


def test_a_variable_that_is_gone_is_told(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVIDER_KEY", SECRET)
    gateway = serve(target={"secret_key_ref": {"env": "PROVIDER_KEY"}})
    told = described(gateway, environ={})
    assert told["targets"][0]["key"] == "env: PROVIDER_KEY unset"


def test_a_broken_file_is_told_with_its_place(world: World, serve: Serve) -> None:
    gateway = serve()
    before = described(gateway)
    broken = world.policy(group={"api_key": "kt_cg_engineering_abc123 with blanks"})
    gateway.write_policy({**broken, "surprise": 1})
    eventually(lambda: described(gateway)["file"]["state"] == "broken", what="a broken file")
    told = described(gateway)
    file = told.pop("file")
    before.pop("file")
    assert told == before
    assert file["message"].startswith(f"the file on disk is broken since {file['since']}: line ")
    assert file["message"].endswith("; the last good one is in force")
    assert any("surprise" in problem["message"] for problem in file["problems"])
    assert all(problem["line"] > 0 for problem in file["problems"])
    assert "with blanks" not in json.dumps(file)


def test_a_file_of_another_organization_is_told(world: World, serve: Serve) -> None:
    gateway = serve()
    gateway.write_policy(world.policy(organization="nobody"))
    eventually(lambda: described(gateway)["file"]["state"] == "broken", what="a broken file")
    assert "there is no organization 'nobody'" in described(gateway)["file"]["message"]


def test_a_repaired_file_is_in_force_again(world: World, serve: Serve) -> None:
    gateway = serve()
    gateway.write_policy({"version": "1", "surprise": 1})
    eventually(lambda: described(gateway)["file"]["state"] == "broken", what="a broken file")
    gateway.write_policy(world.policy(group={"allowed_models": ["gpt-4o"]}))
    eventually(lambda: described(gateway)["file"]["state"] == "in_force", what="a repaired file")
    told = described(gateway)
    assert told["policy"]["consumer_groups"][0]["allowed_models"] == ["gpt-4o"]


def test_stops_in_force_are_told_once_each(world: World, serve: Serve) -> None:
    factories.make_group_key(factories.make_consumer_group(world.team, "batch"))
    for scope, target in (("model", "gpt-4"), ("provider", "x"), ("team", "team_engineering")):
        Stop.objects.create(
            organization=world.organization, scope=scope, target=target, reason="why",
            created_by="test",
        )  # fmt: skip
    told = described(serve())
    assert told["stops"] == [
        {"scope": scope, "target": target, "cut": False, "reason": "why"}
        for scope, target in (("model", "gpt-4"), ("provider", "x"), ("team", "team_engineering"))
    ]


def test_stops_of_others_are_counted_without_their_names_and_reasons(
    world: World, serve: Serve
) -> None:
    person = factories.make_user(world.organization)
    factories.make_personal_key(world.team, person)
    for scope, target in (("user", person.public_id), ("model", "gpt-4")):
        Stop.objects.create(
            organization=world.organization, scope=scope, target=target, reason=f"why-{scope}",
            created_by="test",
        )  # fmt: skip
    told = serve().request("GET", "/keeptrusts/config", key=world.key)
    assert [stop["scope"] for stop in told.json["stops"]] == ["model"]
    assert told.json["stops_of_others"] == {"user": 1}
    assert b"why-user" not in told.raw
    assert person.public_id.encode() not in told.raw


def test_the_circuit_of_each_target_is_told(world: World, serve: Serve) -> None:
    gateway = serve()
    snapshot = gateway.application.watcher.current
    assert snapshot is not None
    breakers = Breakers()
    assert described(gateway)["targets"][0]["circuit"] is None
    trial = breakers.of(snapshot.policy.targets[0]).begin()
    trial.out_of_quota()
    assert described(gateway, breakers=breakers)["targets"][0]["circuit"] == {
        "state": "open", "ready": False, "reason": "out_of_quota",
    }  # fmt: skip


def test_the_address_needs_a_key_of_the_organization(world: World, serve: Serve) -> None:
    gateway = serve()
    assert gateway.request("GET", "/keeptrusts/config").status == 401
    answer = gateway.request("GET", "/keeptrusts/config", key=world.key)
    assert (answer.status, answer.json["organization"]) == (200, world.organization.slug)
    assert answer.json["targets"][0]["circuit"]["state"] == "closed"
    assert world.key.encode() not in answer.raw
