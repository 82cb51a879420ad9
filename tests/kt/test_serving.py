"""How every web process of Keeptrusts is served."""

import socket
from typing import Any

import pytest

from keeptrusts.kt import serving


class Seen(Exception):
    """The server was configured: that is all this asks for."""


def test_forwarded_headers_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {}

    def configure(application: str, **given: Any) -> None:
        options.update(given)
        raise Seen

    monkeypatch.setattr("uvicorn.Config", configure)
    with socket.socket() as sock, pytest.raises(Seen):
        serving.serve("gateway.asgi:application", sock, on_ready=lambda: None)
    assert options["proxy_headers"] is False
