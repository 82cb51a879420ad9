"""Addresses of the providers that need no ``base_url``."""

from collections.abc import Mapping

BASE_URLS = {
    "anthropic": "https://api.anthropic.com/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "fireworks": "https://api.fireworks.ai/inference/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "together": "https://api.together.xyz/v1",
    "x-ai": "https://api.x.ai/v1",
}
OVERRIDES = {"openai": "OPENAI_BASE_URL"}


def base_url(provider: str, declared: str | None, environ: Mapping[str, str]) -> str | None:
    """The address to call, without a slash at its end; None where nobody gave one.

    The file wins, then the provider's environment variable, then the provider's own address.
    """
    override = environ.get(OVERRIDES.get(provider, ""), "")
    address = declared or override or BASE_URLS.get(provider)
    return address.rstrip("/") if address else None


def official(provider: str, address: str) -> bool:
    """Whether ``address`` is the provider's own server, with the tokenizers it is known for."""
    return BASE_URLS.get(provider) == address
