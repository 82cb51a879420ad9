"""Migrating seeds the schedule once; what people change stays."""

import pytest
from django.core.management import call_command
from django_celery_beat.models import PeriodicTask

from keeptrusts.celery import app
from keeptrusts.schedule import JOBS

pytestmark = pytest.mark.django_db


def migrate() -> None:
    call_command("migrate", verbosity=0)


def test_every_job_is_scheduled() -> None:
    migrate()
    seconds = {
        task.task: task.interval.every
        for task in PeriodicTask.objects.select_related("interval")
        if task.interval is not None
    }
    assert seconds == {name: every.total_seconds() for name, every in JOBS.items()}


def test_every_job_is_a_known_task() -> None:
    app.loader.import_default_modules()
    assert set(JOBS) <= set(app.tasks)


def test_a_paused_job_stays_paused() -> None:
    PeriodicTask.objects.filter(task="wallets.verify_ledger").update(enabled=False)
    migrate()
    assert PeriodicTask.objects.get(task="wallets.verify_ledger").enabled is False
    assert PeriodicTask.objects.count() == len(JOBS)
