"""Changes reach a running gateway within seconds, and broken ones do not."""

import pytest

from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import eventually
from wallets.models import AuditRecord, GatewayKey

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def test_a_changed_policy_file_is_read_while_requests_go_on(world: World, serve: Serve) -> None:
    gateway = serve()
    assert gateway.chat(world.key).status == 200

    gateway.write_policy(world.policy(group={"allowed_models": ["gpt-4o"]}))

    eventually(lambda: gateway.chat(world.key).status == 403, seconds=5)


def test_each_policy_file_in_force_is_in_the_audit_log(world: World, serve: Serve) -> None:
    gateway = serve()
    serve()
    gateway.write_policy(world.policy(group={"allowed_models": ["gpt-4o"]}))
    eventually(lambda: gateway.chat(world.key).status == 403, seconds=5)

    first, second = AuditRecord.objects.filter(action="policy.load").order_by("pk")
    assert (first.actor, first.before) == ("gateway", None)
    assert second.before == first.after
    assert second.after["consumer_groups"][0]["allowed_models"] == ["gpt-4o"]
    assert second.target == f"policy:{second.after['config_version']}"
    assert world.key not in str([first.after, second.after])


def test_a_broken_policy_file_keeps_the_old_one(
    world: World, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = serve()

    gateway.write_policy({"version": "1", "providers": {"targets": []}, "surprise": 1})

    eventually(lambda: "surprise" in caplog.text, seconds=5)
    assert gateway.chat(world.key).status == 200


def test_a_repaired_policy_file_is_told(
    world: World, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    gateway = serve()
    gateway.write_policy({"version": "1", "providers": {"targets": []}, "surprise": 1})
    eventually(lambda: "surprise" in caplog.text, seconds=5)

    gateway.write_policy(world.policy())

    eventually(lambda: "the policy file can be used again: version " in caplog.text, seconds=5)


def test_a_new_price_is_charged_within_seconds(world: World, serve: Serve) -> None:
    gateway = serve()
    assert gateway.chat(world.key).headers["x-keeptrusts-cost"] == "0.0000171"

    _set_price(world)

    eventually(
        lambda: gateway.chat(world.key).headers["x-keeptrusts-cost"] == "0.000039", seconds=5
    )


def _set_price(world: World) -> None:
    from django.utils import timezone

    from gateway.models import ModelPrice
    from wallets import revisions

    ModelPrice.objects.create(
        provider="openai",
        model="gpt-4o-mini",
        valid_from=timezone.now(),
        input=1_000_000_000,
        output=1_000_000_000,
        created_by="test",
    )
    revisions.bump()


def test_the_last_use_of_a_key_is_noted(world: World, serve: Serve) -> None:
    key, secret = factories.make_group_key(factories.make_consumer_group(world.team, "batch"))
    gateway = serve()

    gateway.chat(secret)
    gateway.stop()

    assert GatewayKey.objects.get(pk=key.pk).last_used_at is not None


def test_a_key_of_the_file_that_the_database_revoked_is_refused(world: World, serve: Serve) -> None:
    from django.utils import timezone

    group = factories.make_consumer_group(world.team, "engineering")
    factories.make_group_key(group, world.key, revoked_at=timezone.now())

    assert serve().chat(world.key).status == 401


def test_a_group_of_the_file_counts_under_the_group_of_the_database(
    world: World, serve: Serve
) -> None:
    group = factories.make_consumer_group(world.team, "engineering")

    serve().chat(world.key)

    assert world.event().consumer_group_id == group.pk
