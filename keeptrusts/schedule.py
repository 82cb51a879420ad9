"""The default schedule of the background jobs, seeded once; afterwards the admin decides."""

from datetime import timedelta

from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask

JOBS = {
    "wallets.sweep_holds": timedelta(seconds=15),
    "wallets.expire_credits": timedelta(minutes=10),
    "wallets.expire_tickets": timedelta(minutes=10),
    "wallets.verify_ledger": timedelta(hours=1),
    "gateway.purge_idempotent_answers": timedelta(minutes=10),
    "gateway.purge_history": timedelta(minutes=10),
    "gateway.purge_closed_organizations": timedelta(minutes=10),
}
"""Task name → how often it runs."""


def seed(**_: object) -> None:
    """Create what is missing; a job that somebody changed or paused stays as it is.

    Does nothing after a migration of other apps that came before these tables.
    """
    if PeriodicTask._meta.db_table not in connection.introspection.table_names():
        return
    for task, every in JOBS.items():
        if PeriodicTask.objects.filter(task=task).exists():
            continue
        interval, _created = IntervalSchedule.objects.get_or_create(
            every=int(every.total_seconds()), period=IntervalSchedule.SECONDS
        )
        PeriodicTask.objects.create(name=task, task=task, interval=interval)
