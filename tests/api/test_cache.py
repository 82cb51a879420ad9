"""POST /v1/cache/purge."""

import pytest

from gateway.models import CacheGeneration
from tests.api.client import Caller
from tests.api.conftest import World
from wallets import revisions
from wallets.models import AuditRecord


def test_an_admin_purges_the_own_organization(world: World, admin: Caller) -> None:
    before = revisions.current()

    answer = admin.post("cache/purge", {})

    assert (answer.status, answer.body["generation"]) == (200, 1)
    assert answer.body["organization_id"] == world.acme.public_id
    assert CacheGeneration.of(world.acme.pk) == 1
    assert CacheGeneration.of(world.beta.pk) == 0
    assert revisions.current() > before


def test_every_purge_is_another_generation_and_is_written_down(world: World, admin: Caller) -> None:
    assert [admin.post("cache/purge", {}).body["generation"] for _ in range(2)] == [1, 2]
    record = AuditRecord.objects.filter(action="cache.purge").order_by("pk").last()
    assert record is not None
    assert (record.before, record.after) == ({"generation": 1}, {"generation": 2})
    assert record.target == world.acme.public_id


@pytest.mark.parametrize("role", ["billing_admin", "auditor", "lead", "member"])
def test_nobody_else_purges(world: World, role: str) -> None:
    assert world.callers[role].post("cache/purge", {}).status == 403
    assert not CacheGeneration.objects.exists()


def test_a_foreign_organization_is_404(world: World) -> None:
    body = {"organization_id": world.acme.public_id}
    assert world.callers["stranger"].post("cache/purge", body).status == 404
    assert not CacheGeneration.objects.exists()
