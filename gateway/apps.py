from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "gateway"

    def ready(self) -> None:
        from gateway import events
        from wallets import sweeper

        sweeper.witness(events.write_swept)
