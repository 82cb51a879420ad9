"""A gateway whose only provider is one that speaks Anthropic's protocol."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import OpenAI

from tests.gateway.adapters.fake import FakeAnthropic
from tests.gateway.conftest import Serve, World

SECRET = "sk-ant-secret"


@pytest.fixture
def upstream() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as server:
        yield server


@pytest.fixture
def client(world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAI]:
    """The openai library in front of the gateway."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    key = {"env": "ANTHROPIC_API_KEY"}
    gateway = serve(target={"id": "claude", "provider": "anthropic", "secret_key_ref": key})
    with OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as openai:
        yield openai


Ask = Callable[..., Any]


@pytest.fixture
def ask(client: OpenAI) -> Ask:
    """Asks for a completion of Claude; fields may be changed."""

    def create(**fields: Any) -> Any:
        asked = {
            "model": "claude-sonnet-4-5",
            "messages": [{"role": "user", "content": "Write a short haiku."}],
            "max_tokens": 100,
        }
        return client.chat.completions.create(**{**asked, **fields})

    return create
