"""What becomes of every top-level field of a chat request. A field in no table is refused:

it could cost what was not priced, or ask for what the client would wait for in vain.
"""

from collections.abc import Mapping
from typing import Any

from gateway.proxy import errors
from gateway.proxy.errors import Rejected

TRANSLATED = frozenset(
    (
        *("model", "messages", "max_tokens", "max_completion_tokens", "stream", "stop"),
        *("temperature", "top_p", "top_k", "tools", "functions", "tool_choice", "function_call"),
        *("parallel_tool_calls", "user", "safety_identifier", "response_format"),
        *("reasoning_effort", "thinking", "service_tier"),
    )
)

LEFT_OUT: Mapping[str, str] = {
    "stream_options": "usage is always reported, and the gateway shows it where it is asked for",
    "seed": "best effort by its own definition, and Anthropic makes none",
    "store": "nothing is stored, neither way",
    "metadata": "tags for the gateway and for what is stored",
    "prompt_cache_key": "a hint; Anthropic finds prefixes by itself",
    "prompt_cache_retention": "a hint; `cache_control` on a part says how long",
}
"""Fields that change nothing about the answer, each with the reason."""

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "verbosity": ("medium",),
}
"""Fields without a counterpart, and the values that ask for nothing; others are refused."""


def check(request: Mapping[str, Any]) -> None:
    """Raises ``Rejected`` (400 ``unsupported_field``) for the first field that cannot be said."""
    for name, value in request.items():
        if value is None or name in TRANSLATED or name in LEFT_OUT:
            continue
        if name not in NEUTRAL or value not in NEUTRAL[name]:
            raise unsupported(name, _reason(name))


def _reason(name: str) -> str:
    if name in NEUTRAL:
        neutral = " or ".join(str(value) for value in NEUTRAL[name])
        return f"this model's provider only knows {neutral}"
    return "this model's provider has nothing like it"


def unsupported(field: str, why: str) -> Rejected:
    """A 400 for a field or value that the provider cannot be told."""
    return errors.unsupported_field(field, f"this is not supported for this model: {why}.")
