"""Top-level fields of a request that are refused, because what they ask for was not priced.

Other unknown fields pass: providers have many extensions, and their text is counted as prompt.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.proxy import errors
from gateway.proxy.errors import Rejected
from gateway.tokens.completion import ALIASES, CHOICES, STANDARD

_EVERYWHERE = (
    *("model", "stream", "stream_options", "tools", "background", "plugins", "service_tier"),
    *("speed", "web_search_options", "modalities", "audio"),
    *(*STANDARD, *ALIASES, *CHOICES),
)
"""Fields whose value decides about the price, the target or the end of an answer."""

_OTHER_MODEL = "it can choose another model than the one that is priced"
_OTHER_TARGET = "it can choose another target than the one that is priced"
_OTHER_BODY = "it can change fields after they were priced"
_OTHER_PAYER = "it can replace the credentials or the configuration of the target"
_OTHER_PROMPT = "it can write a longer prompt than the one that was counted"
_AS_HEADER = "send it as a header"

UNSUPPORTED: Mapping[str, str] = {
    # OpenRouter
    "models": _OTHER_MODEL,
    "route": _OTHER_MODEL,
    "provider": _OTHER_TARGET,
    "transforms": _OTHER_PROMPT,
    # LiteLLM
    "fallbacks": _OTHER_MODEL,
    "fallback_models": _OTHER_MODEL,
    "context_window_fallbacks": _OTHER_MODEL,
    "content_policy_fallbacks": _OTHER_MODEL,
    "model_list": _OTHER_MODEL,
    "extra_body": _OTHER_BODY,
    "extra_headers": _OTHER_PAYER,
    "custom_llm_provider": _OTHER_TARGET,
    "deployment_id": _OTHER_TARGET,
    "api_base": _OTHER_TARGET,
    "base_url": _OTHER_TARGET,
    "api_key": _OTHER_PAYER,
    "user_config": _OTHER_PAYER,
    # vLLM, SGLang
    "chat_template": _OTHER_PROMPT,
}
"""Refused wherever they have a value, each with the reason."""


_OF_ANTHROPIC: Mapping[str, str] = {
    "billing_policy": _OTHER_PAYER,
    "anthropic_beta": _AS_HEADER,
    "betas": _AS_HEADER,
    "anthropic_version": _AS_HEADER,
    "workspace_id": _AS_HEADER,
    "user_profile_id": _AS_HEADER,
}


def _plain(name: str) -> str:
    """A name without case and separators, as lenient parsers match it."""
    return name.casefold().replace("_", "").replace("-", "")


def _by_plain(names: Iterable[str]) -> dict[str, str]:
    return {_plain(name): name for name in names}


class Fields:
    """What a route knows of its fields: the ``priced`` ones, and those it refuses with a reason."""

    def __init__(self, *priced: str, refused: Mapping[str, str] | None = None) -> None:
        names = (*_EVERYWHERE, *priced)
        self._reasons = {**UNSUPPORTED, **(refused or {})}
        self._exact = frozenset(names)
        self._priced = _by_plain(names)
        self._unsupported = _by_plain(self._reasons)

    def check(self, request: Mapping[str, Any]) -> None:
        """Raises a 400 that names the field."""
        for name, value in request.items():
            if name in self._exact:
                continue
            plain = _plain(name)
            if plain in self._priced:
                raise _refused(name, f"write it '{self._priced[plain]}'")
            if plain in self._unsupported and value is not None:
                raise _refused(name, self._reasons[self._unsupported[plain]])


CHAT = Fields("messages", "functions", "prediction")
COMPLETIONS = Fields("prompt", "suffix")
EMBEDDINGS = Fields("input")
MODERATIONS = Fields("input")
RESPONSES = Fields(
    *("input", "instructions", "previous_response_id", "conversation", "prompt"),
    *("context_management", "prompt_cache_options", "reasoning"),
)
MESSAGES = Fields(
    *("messages", "system", "thinking", "container", "mcp_servers", "context_management"),
    *("compaction", "inference_geo", "thread", "cache_control"),
    refused=_OF_ANTHROPIC,
)


def _refused(name: str, why: str) -> Rejected:
    return errors.unsupported_field(name, f"this field is not supported here: {why}.")
