"""Kept answers are purged by a scheduled job."""

from datetime import timedelta

import pytest
from django.utils import timezone

from gateway import tasks
from gateway.idempotency import claims
from gateway.idempotency.claims import Claim, OwnedKey
from gateway.models import IdempotentCall
from keeptrusts.schedule import JOBS
from tests import factories


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

    assert tasks.purge_idempotent_answers() == "deleted 1 expired keys"
    assert IdempotentCall.objects.get().key == "new"


def test_the_job_runs_every_ten_minutes() -> None:
    assert JOBS[tasks.purge_idempotent_answers.name] == timedelta(minutes=10)
