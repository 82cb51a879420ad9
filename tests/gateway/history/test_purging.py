"""What has expired goes, and so does what a closed organisation left behind."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.utils import timezone
from pytest_django.fixtures import Settings

from gateway import closed, tasks
from gateway.cache.names import prefix
from gateway.cache.shelf import ALIAS
from gateway.history import texts
from gateway.history.texts import Text, Texts
from gateway.idempotency import claims
from gateway.idempotency.claims import Claim, OwnedKey
from gateway.models import CacheGeneration, HistoryText, IdempotentCall
from keeptrusts.schedule import JOBS
from tests import factories
from wallets import tenancy
from wallets.models import AuditRecord, Organization
from wallets.people import organizations

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


def _keep(organization: Organization, name: str, *, days: float = 1) -> None:
    now = timezone.now()
    texts.row(
        Texts(Text(b"{}"), Text(b"{}")),
        event_id=name,
        organization_id=organization.pk,
        team_id=None,
        created_at=now,
        expires_at=now + timedelta(days=days),
    ).save()


def _leave_behind(organization: Organization) -> None:
    """A text, an answer under a key, and a generation that may have answers in the cache."""
    name = organization.slug
    _keep(organization, name)
    claims.claim(Claim(key=name, organization_id=organization.pk, fingerprint="f", request_id=name))
    claims.close([(OwnedKey(name, name, b"answer"), True)])


def _close(organization: Organization) -> None:
    organizations.change_organization(
        actor=tenancy.system(), organization=organization, status=Organization.Status.CLOSED
    )


@pytest.fixture
def acme() -> Organization:
    return factories.make_organization("acme", credit=1)


@pytest.fixture
def beta() -> Organization:
    return factories.make_organization("beta", credit=1)


def test_the_job_deletes_texts_that_have_expired(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "PURGE_BATCH", 2)
    for number in range(5):
        _keep(acme, f"old{number}", days=-0.001)
    _keep(acme, "new")

    assert tasks.purge_history() == "deleted the texts of 5 requests"
    assert HistoryText.objects.get().pk == "new"


def test_a_closed_organization_leaves_nothing_behind(
    acme: Organization, beta: Organization
) -> None:
    _leave_behind(acme)
    _leave_behind(beta)
    _close(acme)

    said = tasks.purge_closed_organizations()

    assert said == "purged 1 caches, 1 repeated answers and the texts of 1 requests"
    assert HistoryText.objects.get().pk == "beta"
    assert IdempotentCall.objects.get().key == "beta"
    assert (CacheGeneration.of(acme.pk), CacheGeneration.of(beta.pk)) == (1, 0)


def test_what_a_late_request_leaves_goes_with_the_next_run(acme: Organization) -> None:
    _close(acme)
    closed.purge()
    _leave_behind(acme)

    assert closed.purge() == (1, 1, 1)


def test_the_cache_is_left_alone_once_nothing_can_be_added(acme: Organization) -> None:
    _close(acme)
    closed.purge()
    later = timezone.now() + closed.LAST_ANSWER + timedelta(seconds=1)
    CacheGeneration.objects.update(purged_at=later)

    assert closed.purge() == (0, 0, 0)


def test_an_organization_that_is_closed_again_is_purged_again(acme: Organization) -> None:
    CacheGeneration.objects.create(
        organization=acme, number=4, purged_at=timezone.now() - timedelta(hours=1)
    )
    _close(acme)

    assert closed.purge()[0] == 1
    assert CacheGeneration.of(acme.pk) == 5
    record = AuditRecord.objects.get(action="cache.purge")
    assert (record.actor, record.target) == ("system", acme.public_id)


def test_the_answers_of_its_cache_are_erased(
    acme: Organization,
    tmp_path: Path,
    settings: Settings,
    django_capture_on_commit_callbacks: Any,
) -> None:
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    settings.CACHES = {ALIAS: {"BACKEND": backend, "LOCATION": str(tmp_path)}}
    name = f"{prefix(acme.public_id)}x"
    caches[ALIAS].set(name, b"answer", 3600)
    _close(acme)

    with django_capture_on_commit_callbacks(execute=True):
        closed.purge()

    assert caches[ALIAS].get(name) is None


def test_an_organization_in_business_is_left_alone(acme: Organization) -> None:
    _leave_behind(acme)

    assert closed.purge() == (0, 0, 0)
    assert HistoryText.objects.count() == 1


@pytest.mark.parametrize("task", [tasks.purge_history, tasks.purge_closed_organizations])
def test_the_jobs_run_every_ten_minutes(task: Any) -> None:
    assert JOBS[task.name] == timedelta(minutes=10)
