from django.apps import AppConfig


class KeeptrustsConfig(AppConfig):
    """Wiring that must exist in every process: the Celery application and the loggers."""

    name = "keeptrusts"

    def ready(self) -> None:
        from keeptrusts import celery, logs

        logs.configure()
        # Without it a task sent from a web process would go to Celery's default broker.
        celery.app.set_default()
