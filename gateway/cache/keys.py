"""Which requests mean the same, and which may be answered from the cache at all.

A key is the SHA-256 of a canonical form of everything that decides about the answer. What is not
named in a table here decides: a field nobody knows makes another key, never a wrong answer.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

VERSION = 1
"""Raised with every change of what a key is made of; older entries are never found again."""

EXACT_UP_TO = 2**53
"""Whole numbers that a float holds exactly: up to here 1 and 1.0 are one number."""

IGNORED: Mapping[str, str] = {
    "model": "named apart: a route may have a default",
    "stream": "how the answer travels",
    "stream_options": "how the answer travels",
    "user": "who asks",
    "safety_identifier": "who asks",
    "metadata": "labels for the bill",
    "prompt_cache_key": "where the provider keeps a prompt",
    "prompt_cache_retention": "how long the provider keeps a prompt",
    "service_tier": "how soon and how dear, by the same model",
    "store": "true is never answered from the cache, false is no store",
}
"""Fields of a body that do not change the answer, each with the reason."""

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    route: {"n": 1, "frequency_penalty": 0, "presence_penalty": 0}
    for route in ("chat.completions", "completions")
}
"""Values that mean the same as leaving the field out, by route; only what holds for all servers.

Null is such a value for every field. A temperature is not: it makes an answer a sampled one.
"""

STATEFUL: Mapping[str, str] = {
    "previous_response_id": "continues an answer the provider keeps",
    "conversation": "continues a conversation the provider keeps",
    "background": "starts work that goes on at the provider",
    "store": "asks the provider to keep the answer",
    "container": "runs in a place the provider keeps",
    "mcp_servers": "reaches servers that change and act",
    "web_search_options": "looks at what is new",
    "plugins": "reaches servers that change and act",
}
"""Fields that make an answer depend on more than the request, each with the reason."""

STORED_BY_DEFAULT = ("responses",)
"""Routes whose provider keeps an answer unless ``store`` is false."""

CLIENT_TOOLS = (None, "function", "custom")
"""Types of tools the client runs itself; all others run at the provider."""

IGNORED_HEADERS: Mapping[bytes, str] = {
    b"openai-organization": "which account of the provider pays",
    b"openai-project": "which account of the provider pays",
    b"anthropic-dangerous-direct-browser-access": "where the client runs",
}
FORWARDED = (b"openai-", b"anthropic-")
"""Request headers with these beginnings reach the provider and may change the answer."""


def key(
    *,
    owner: tuple[str, ...],
    route: str,
    model: str,
    form: str,
    bound: int,
    headers: Mapping[bytes, bytes],
    request: Mapping[str, Any],
) -> str:
    """64 hex digits, the same for requests of one ``owner`` that mean the same.

    ``owner`` names organisation and scope, ``form`` the shape of the answer where plain and
    streamed ones are kept apart, ``bound`` the output tokens a request without a bound may have.
    """
    canonical = [
        VERSION, owner, route, model, form, bound, _headers(headers), meaning(route, request),
    ]  # fmt: skip
    return hashlib.sha256(orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)).hexdigest()


def meaning(route: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of a body without what does not change the answer."""
    defaults = DEFAULTS.get(route, {})
    return {
        name: _plain(value)
        for name, value in request.items()
        if name not in IGNORED and value is not None and not _is_default(defaults, name, value)
    }


def obstacle(route: str, request: Mapping[str, Any], *, sampled: bool) -> str | None:
    """Why a request is not answered from the cache; None where it may be.

    ``sampled``: answers that were drawn by chance count as answers too.
    """
    for name, why in STATEFUL.items():
        if request.get(name):
            return f"{name}: {why}"
    if route in STORED_BY_DEFAULT and request.get("store") is not False:
        return f"store: {STATEFUL['store']}"
    if _refers(request):
        return "it refers to something the provider keeps"
    if _has_hosted_tools(request.get("tools")):
        return "tools: some run at the provider"
    if not sampled and _is_sampled(request):
        return "temperature: the answer is drawn by chance"
    return None


def _refers(request: Mapping[str, Any]) -> bool:
    """A prompt kept at the provider, or an item of an earlier answer."""
    if isinstance(request.get("prompt"), Mapping):
        return True
    items = request.get("input")
    return isinstance(items, list) and any(
        isinstance(item, Mapping) and item.get("type") == "item_reference" for item in items
    )


def _has_hosted_tools(tools: Any) -> bool:
    if not tools:
        return False
    if not isinstance(tools, list):
        return True
    return any(
        not isinstance(tool, Mapping) or tool.get("type") not in CLIENT_TOOLS for tool in tools
    )


def _is_sampled(request: Mapping[str, Any]) -> bool:
    """A temperature above zero, or several answers to one question."""
    return any(_exceeds(request.get(name), most) for name, most in _SAMPLING)


_SAMPLING = (("temperature", 0), ("n", 1), ("best_of", 1))


def _exceeds(value: Any, most: int) -> bool:
    """What is no number is left to the provider, and never kept."""
    if value is None:
        return False
    return isinstance(value, bool) or not isinstance(value, int | float) or value > most


def _is_default(defaults: Mapping[str, Any], name: str, value: Any) -> bool:
    return name in defaults and not isinstance(value, bool) and bool(value == defaults[name])


def _plain(value: Any) -> Any:
    """The same value with whole numbers as integers, however they were written."""
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) <= EXACT_UP_TO
        return int(value) if whole else value
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _headers(headers: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Those that reach the provider, the words of a list in any order."""
    return {
        name.decode("latin-1"): sorted(
            word.strip() for word in value.decode("latin-1").split(",") if word.strip()
        )
        for name, value in headers.items()
        if name.startswith(FORWARDED) and name not in IGNORED_HEADERS
    }
