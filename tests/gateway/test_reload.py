"""Changes reach a running gateway within seconds, and broken ones do not."""

import json
import os

import pytest

from tests import factories
from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway, chat, eventually
from wallets import revisions
from wallets.models import AuditRecord, GatewayKey, Stop

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


def test_a_stream_that_runs_across_a_reload_finishes_as_it_began(
    world: World, serve: Serve
) -> None:
    gate = Gate()
    world.upstream.once(gate_after=(1, gate))
    gateway = serve()
    with gateway.connection() as connection:
        headers = {"x-consumer-group": world.key, "content-type": "application/json"}
        body = json.dumps(chat(stream=True))
        connection.request("POST", "/v1/chat/completions", body, headers)
        response = connection.getresponse()
        assert gate.reached.wait(10)

        gateway.write_policy(world.policy(group={"allowed_models": ["gpt-4o"]}))
        eventually(lambda: gateway.chat(world.key).status == 403, seconds=5)
        gate.open()
        streamed = response.read()

    assert response.status == 200
    assert streamed.endswith(b"data: [DONE]\n\n")
    assert b" drift" in streamed
    event = world.event(streamed=True)
    assert (event.verdict, event.cost) == ("allow", 17_100)


def test_no_request_is_dropped_while_files_are_reloaded(world: World, serve: Serve) -> None:
    gateway = serve()
    versions: set[str] = set()
    for number in range(3):
        gateway.write_policy(world.policy(cost_tracking={"default_max_output_tokens": 90 + number}))
        while len(versions) <= number:
            assert gateway.chat(world.key).status == 200
            current = gateway.application.watcher.current
            assert current is not None
            versions.add(current.policy.config_version)
    assert len(versions) >= 3


def test_a_reload_that_is_asked_for_reads_a_file_that_looks_unchanged(
    world: World, serve: Serve
) -> None:
    gateway = serve(cost_tracking={"default_max_output_tokens": 91})
    before = gateway.path.stat()
    text = gateway.path.read_text()
    gateway.path.write_text(text.replace("tokens: 91", "tokens: 92"))
    os.utime(gateway.path, ns=(before.st_atime_ns, before.st_mtime_ns))

    gateway.application.watcher.reload_policy()

    def tokens() -> int:
        current = gateway.application.watcher.current
        assert current is not None
        return current.policy.document.cost_tracking.default_max_output_tokens

    eventually(lambda: tokens() == 92, seconds=5)


def _both(gateways: tuple[RunningGateway, RunningGateway], key: str, status: int) -> bool:
    return all(gateway.chat(key).status == status for gateway in gateways)


def test_a_new_price_is_charged_by_every_gateway_within_seconds(world: World, serve: Serve) -> None:
    gateways = (serve(), serve())
    _set_price(world)

    def costs() -> set[str]:
        return {gateway.chat(world.key).headers["x-keeptrusts-cost"] for gateway in gateways}

    eventually(lambda: costs() == {"0.000039"}, seconds=5)


def test_a_revoked_key_is_refused_by_every_gateway_within_seconds(
    world: World, serve: Serve
) -> None:
    from django.utils import timezone

    key, secret = factories.make_group_key(factories.make_consumer_group(world.team, "batch"))
    gateways = (serve(), serve())
    assert _both(gateways, secret, 200)

    GatewayKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    revisions.bump()

    eventually(lambda: _both(gateways, secret, 401), seconds=5)


def test_a_stop_switch_is_obeyed_by_every_gateway_within_seconds(
    world: World, serve: Serve
) -> None:
    gateways = (serve(), serve())
    stop = Stop.objects.create(
        organization=world.organization, scope="team", target=world.team.public_id,
        created_by="test",
    )  # fmt: skip
    revisions.bump()
    eventually(lambda: _both(gateways, world.key, 402), seconds=5)

    stop.delete()
    revisions.bump()
    eventually(lambda: _both(gateways, world.key, 200), seconds=5)
