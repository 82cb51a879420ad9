"""Kept answers are purged by a scheduled job."""

from datetime import timedelta

import pytest
from django.utils import timezone

from gateway import tasks
from gateway.idempotency import claims
from gateway.idempotency.claims import Claim, Lost, OwnedKey
from gateway.models import IdempotentCall
from keeptrusts.schedule import JOBS
from tests import factories
from wallets.models import Organization


@pytest.mark.django_db
def test_the_job_deletes_what_has_expired() -> None:
    organization = factories.make_organization("acme", credit=1)
    for name in ("old", "new"):
        claims.claim(
            Claim(key=name, organization_id=organization.pk, fingerprint="f", request_id=name)
        )
        claims.close([(OwnedKey(name, name, b"answer"), True)])
    IdempotentCall.objects.filter(key="old").update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )

    assert tasks.purge_idempotent_answers() == "deleted 1 expired keys and 0 answers too many"
    assert IdempotentCall.objects.get().key == "new"


def _keep(organization: Organization, *names: str, answer: bytes = b"answer") -> None:
    for age, name in enumerate(reversed(names)):
        claims.claim(
            Claim(key=name, organization_id=organization.pk, fingerprint="f", request_id=name)
        )
        claims.close([(OwnedKey(name, name, answer), True)])
        finished = timezone.now() - timedelta(hours=age)
        IdempotentCall.objects.filter(key=name).update(finished_at=finished)


def _kept() -> set[str]:
    return set(IdempotentCall.objects.exclude(answer=None).values_list("key", flat=True))


@pytest.mark.engines
@pytest.mark.django_db
def test_the_oldest_of_too_many_answers_go_and_are_not_paid_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "MOST_ANSWERS", 2)
    acme = factories.make_organization("acme", credit=1)
    _keep(acme, "oldest", "older", "newer", "newest")
    _keep(factories.make_organization("other", credit=1), "theirs", "theirs too")

    assert tasks.purge_idempotent_answers() == "deleted 0 expired keys and 2 answers too many"
    assert _kept() == {"newer", "newest", "theirs", "theirs too"}
    again = Claim(key="oldest", organization_id=acme.pk, fingerprint="f", request_id="again")
    assert claims.claim(again) == Lost()


@pytest.mark.engines
@pytest.mark.django_db
def test_the_oldest_of_too_long_answers_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MOST_BYTES", 25)
    _keep(factories.make_organization("acme", credit=1), "old", "new", "newest", answer=b"x" * 10)

    assert claims.purge_excess() == 1
    assert _kept() == {"new", "newest"}


def test_the_job_runs_every_ten_minutes() -> None:
    assert JOBS[tasks.purge_idempotent_answers.name] == timedelta(minutes=10)
