"""Providers that speak another protocol, behind the routes of the OpenAI API."""

from gateway.adapters.anthropic import AnthropicChat
from gateway.adapters.anthropic.headers import native_headers
from gateway.adapters.protocol import Adapter, Translator

__all__ = ["Adapter", "Translator", "native_headers", "of", "speaks_anthropic"]

_ADAPTERS: dict[tuple[str, str], Adapter] = {("anthropic", "chat.completions"): AnthropicChat()}


def of(provider: str, route: str) -> Adapter | None:
    """The adapter for a kind of provider and a route's name; None where none is needed."""
    return _ADAPTERS.get((provider, route))


def speaks_anthropic(provider: str) -> bool:
    """Whether a kind of provider takes the headers of ``native_headers`` on all of its routes."""
    return provider == "anthropic"
