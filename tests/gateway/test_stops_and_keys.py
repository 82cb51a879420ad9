"""Who may ask at all: stop switches, and keys that are revoked, expired, bound or foreign."""

from datetime import timedelta

import pytest
from django.utils import timezone

from gateway.models import DecisionEvent
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import eventually
from wallets import revisions
from wallets.models import Stop

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("stopped", "asked"),
    [
        ("gpt-4", "GPT-4"),
        ("GPT-4", "gpt-4"),
        ("gpt-4", "gpt-4-0613"),
        ("gpt-4", "Gpt-4-0314"),
        ("gpt-4", " gpt-4"),
        ("gpt-4o", "gpt-4o-2024-05-13"),
        ("gpt-4-0613", "gpt-4-0613"),
    ],
)
def test_a_stopped_model_is_stopped_however_it_is_spelled(
    world: World, serve: Serve, stopped: str, asked: str
) -> None:
    Stop.objects.create(
        organization=world.organization, scope="model", target=stopped, created_by="test"
    )
    gateway = serve()

    assert gateway.chat(world.key, model=asked).error["code"] == "stopped"
    assert gateway.chat(world.key, model="gpt-4o-mini").status == 200


def test_a_key_that_may_use_no_model_may_use_none(world: World, serve: Serve) -> None:
    group = factories.make_consumer_group(world.team, "batch")
    _, secret = factories.make_group_key(group, allowed_models=[])
    gateway = serve()

    assert gateway.chat(secret).error["code"] == "model_not_allowed"


def test_a_stop_refuses_within_seconds_and_a_resume_lets_pass(world: World, serve: Serve) -> None:
    gateway = serve()
    assert gateway.chat(world.key).status == 200

    stop = Stop.objects.create(
        organization=world.organization, scope="team", target=world.team.public_id,
        created_by="test",
    )  # fmt: skip
    revisions.bump()
    eventually(lambda: gateway.chat(world.key).status == 402, seconds=5)
    error = gateway.chat(world.key).error
    assert (error["code"], error["details"]) == ("stopped", {"scope": "team", "reason": None})
    assert error["message"] == "Requests are stopped by a switch on the team."

    Stop.objects.filter(pk=stop.pk).update(lifted_at=timezone.now())
    revisions.bump()
    eventually(lambda: gateway.chat(world.key).status == 200, seconds=5)


@pytest.mark.parametrize(
    ("scope", "target"),
    [("model", "gpt-4o-mini"), ("provider", "openai")],
    ids=["model", "provider"],
)
def test_models_and_providers_can_be_stopped(
    world: World, serve: Serve, scope: str, target: str
) -> None:
    Stop.objects.create(
        organization=world.organization, scope=scope, target=target, created_by="test",
        reason="r" * 201,
    )  # fmt: skip
    gateway = serve()

    error = gateway.chat(world.key).error
    assert error["code"] == "stopped"
    assert error["details"] == {"scope": scope, "reason": "r" * 200}
    assert error["message"] == f"Requests are stopped by a switch on the {scope}: {'r' * 200}."
    assert world.upstream.requests == []


def test_a_revoked_key_is_refused_within_seconds(world: World, serve: Serve) -> None:
    group = factories.make_consumer_group(world.team, "batch")
    key, secret = factories.make_group_key(group)
    gateway = serve()
    assert gateway.chat(secret).status == 200

    key.revoked_at = timezone.now()
    key.save()
    revisions.bump()

    eventually(lambda: gateway.chat(secret).status == 401, seconds=5)


def test_the_file_key_of_an_archived_group_is_refused(world: World, serve: Serve) -> None:
    group = factories.make_consumer_group(world.team, "engineering")
    gateway = serve()
    assert gateway.chat(world.key).status == 200

    group.archived_at = timezone.now()
    group.save()
    revisions.bump()

    eventually(lambda: gateway.chat(world.key).status == 401, seconds=5)


def test_an_archived_group_of_another_team_takes_no_key_away(world: World, serve: Serve) -> None:
    other = factories.make_team(world.organization, "others")
    group = factories.make_consumer_group(other, "engineering")
    group.archived_at = timezone.now()
    group.save()

    assert serve().chat(world.key).status == 200


def test_an_expired_key_is_refused_at_once(world: World, serve: Serve) -> None:
    group = factories.make_consumer_group(world.team, "batch")
    expires = timezone.now() + timedelta(seconds=1)
    _, secret = factories.make_group_key(group, expires_at=expires)
    gateway = serve()

    eventually(lambda: gateway.chat(secret).status == 401, seconds=5)
    assert timezone.now() >= expires


def test_a_key_of_the_database_may_be_bound_to_models(world: World, serve: Serve) -> None:
    group = factories.make_consumer_group(world.team, "batch")
    _, secret = factories.make_group_key(group, allowed_models=["gpt-4o"])
    gateway = serve()

    answer = gateway.chat(secret)

    assert (answer.status, answer.error["code"]) == (403, "model_not_allowed")


def test_a_group_of_the_file_may_be_bound_to_models(world: World, serve: Serve) -> None:
    gateway = serve(group={"allowed_models": ["gpt-4o"]})

    assert gateway.chat(world.key).error["code"] == "model_not_allowed"


def test_keys_of_another_organization_are_not_served(world: World, serve: Serve) -> None:
    other = factories.make_team(factories.make_organization("other", credit=5), "them")
    _, secret = factories.make_group_key(factories.make_consumer_group(other))
    gateway = serve()

    assert gateway.chat(secret).status == 401


def test_no_key_and_a_wrong_key_are_refused_without_an_event(world: World, serve: Serve) -> None:
    gateway = serve()

    for key in (None, "kt_cg_wrong"):
        answer = gateway.chat(key)
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    assert DecisionEvent.objects.count() == 0
