"""Requests with a key."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.conftest import World
from tests.gateway.serving import Answer, RunningGateway, chat

Ask = Callable[..., Answer]


@pytest.fixture
def ask(world: World) -> Ask:
    """One completion with an ``Idempotency-Key``."""

    def send(gateway: RunningGateway, key: str = "k-1", **fields: Any) -> Answer:
        credential = fields.pop("credential", world.key)
        return gateway.request(
            "POST",
            "/v1/chat/completions",
            body=chat(**fields),
            key=credential,
            headers={"idempotency-key": key},
        )

    return send
