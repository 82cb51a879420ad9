from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class KeeptrustsConfig(AppConfig):
    """Wiring that must exist in every process: the Celery application and the loggers."""

    name = "keeptrusts"

    def ready(self) -> None:
        from keeptrusts import celery, logs, schedule

        logs.configure()
        # Without it a task sent from a web process would go to Celery's default broker.
        celery.app.set_default()
        # The signal comes only for apps with models, of which this is none.
        tables = apps.get_app_config("django_celery_beat")
        post_migrate.connect(schedule.seed, sender=tables, dispatch_uid="keeptrusts.schedule")
