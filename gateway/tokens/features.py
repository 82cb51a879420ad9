"""What a request asks for that costs more than tokens of text."""

from collections.abc import Iterator, Mapping
from typing import Any

AUDIO = "audio"
_PLAIN_TOOLS = ("function", "custom")
_PLAIN_TIERS = (None, "auto", "default", "standard")


def billable_features(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the extras in a chat request, sorted, each once.

    ``audio``, ``background``, ``image_output``, ``plugins``, ``service_tier``, ``web_search`` and
    ``tool:<type>`` for tools that the provider runs and bills.
    """
    return tuple(sorted(set(_features(request))))


def _features(request: Mapping[str, Any]) -> Iterator[str]:
    if request.get("background"):
        yield "background"
    if request.get("plugins"):
        yield "plugins"
    if request.get("service_tier") not in _PLAIN_TIERS:
        yield "service_tier"
    if request.get("web_search_options") is not None or "-search-" in str(request.get("model")):
        yield "web_search"
    yield from _modalities(request)
    yield from _tools(request.get("tools"))


def _modalities(request: Mapping[str, Any]) -> Iterator[str]:
    modalities = request.get("modalities")
    asked = modalities if isinstance(modalities, list) else []
    if AUDIO in asked or request.get(AUDIO) is not None or _speaks(request.get("messages")):
        yield AUDIO
    if "image" in asked:
        yield "image_output"


def _speaks(messages: Any) -> bool:
    """Whether a message carries audio."""
    for message in messages if isinstance(messages, list) else []:
        content = message.get("content") if isinstance(message, Mapping) else None
        for part in content if isinstance(content, list) else []:
            if isinstance(part, Mapping) and part.get("type") == "input_audio":
                return True
    return False


def _tools(tools: Any) -> Iterator[str]:
    for tool in tools if isinstance(tools, list) else []:
        kind = tool.get("type", "function") if isinstance(tool, Mapping) else "function"
        if kind not in _PLAIN_TOOLS:
            yield f"tool:{str(kind)[:40]}"
