"""The app that owns people, wallets and the ledger."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class WalletsConfig(AppConfig):
    """Who owns money, how much, and every movement of it."""

    name = "wallets"
    verbose_name = "Wallets"

    def ready(self) -> None:
        """Keep the database's own guards in place."""
        from wallets import checks, triggers  # noqa: F401 - importing registers the checks

        post_migrate.connect(triggers.install_after_migrate, sender=self)
