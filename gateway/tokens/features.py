"""What a request asks for that costs more than tokens of text."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.values import objects

AUDIO = "audio"
COMPACTION = "compaction"
LONG_CONTEXT = "long_context"
_PLAIN_TOOLS = ("function", "custom")
_PLAIN_TIERS = (None, "auto", "default", "standard", "standard_only")
_PLAIN_CACHE = (None, "30m")
_CLIENT_TOOLS = (
    *("function", "custom", "namespace", "local_shell", "apply_patch"),
    *("computer", "computer_use_preview"),
)
_ANTHROPIC_CLIENT_TOOLS = ("bash_", "text_editor_", "memory_", "computer_", "browser_toolset_")
_PLAIN_GEOGRAPHY = (None, "global")


def billable_features(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the extras in a chat request, sorted, each once.

    ``audio``, ``background``, ``image_output``, ``plugins``, ``service_tier``, ``web_search`` and
    ``tool:<type>`` for tools that the provider runs and bills.
    """
    return tuple(sorted(set(_features(request))))


def features_of_responses(request: Mapping[str, Any]) -> tuple[str, ...]:
    """As ``billable_features``, of a request to the responses route.

    Tools may come with an input item too. ``prompt`` is a template that is kept at the provider,
    with tools nobody here knows of; ``compaction`` writes more than the answer.
    """
    found = {*_common(request)}
    if request.get("prompt") is not None:
        found.add("prompt")
    if request.get("context_management"):
        found.add(COMPACTION)
    found.update(_named_tools(request.get("tools"), _runs_at_the_client))
    for item in objects(request.get("input")):
        found.update(_named_tools(item.get("tools"), _runs_at_the_client))
        if item.get("type") == "compaction_trigger":
            found.add(COMPACTION)
        if _has_audio(item.get("content")):
            found.add(AUDIO)
    return tuple(sorted(found))


def features_of_messages(request: Mapping[str, Any]) -> tuple[str, ...]:
    """As ``billable_features``, of a request to the messages route of Anthropic."""
    found = {*_common(request)}
    for name in ("container", "mcp_servers"):
        if request.get(name):
            found.add(name)
    if request.get("compaction") or _compacts(request.get("context_management")):
        found.add(COMPACTION)
    if request.get("inference_geo") not in _PLAIN_GEOGRAPHY:
        found.add("inference_geo")
    found.update(_named_tools(request.get("tools"), _is_anthropics_client_tool))
    for message in objects(request.get("messages")):
        for block in objects(message.get("content")):
            if block.get("type") == "tool_addition":
                found.update(_named_tools([_definition(block)], _is_anthropics_client_tool))
    return tuple(sorted(found))


def _features(request: Mapping[str, Any]) -> Iterator[str]:
    yield from _common(request)
    modalities = request.get("modalities")
    asked = modalities if isinstance(modalities, list) else []
    if AUDIO in asked or request.get(AUDIO) is not None:
        yield AUDIO
    if any(_has_audio(message.get("content")) for message in objects(request.get("messages"))):
        yield AUDIO
    if "image" in asked:
        yield "image_output"
    yield from _named_tools(request.get("tools"), lambda tool, kind: kind in _PLAIN_TOOLS)


def _common(request: Mapping[str, Any]) -> Iterator[str]:
    """What every route understands alike."""
    if request.get("background"):
        yield "background"
    if request.get("plugins"):
        yield "plugins"
    if request.get("service_tier") not in _PLAIN_TIERS:
        yield "service_tier"
    if request.get("speed") not in (None, "standard"):
        yield "speed"
    if _inner(request, "prompt_cache_options", "ttl") not in _PLAIN_CACHE:
        yield "prompt_cache_ttl"
    if _inner(request, "reasoning", "mode") not in (None, "standard"):
        yield "reasoning_mode"
    if request.get("web_search_options") is not None or "-search-" in str(request.get("model")):
        yield "web_search"


def _inner(request: Mapping[str, Any], name: str, field: str) -> Any:
    value = request.get(name)
    return value.get(field) if isinstance(value, Mapping) else None


def _has_audio(content: Any) -> bool:
    return any(part.get("type") == "input_audio" for part in objects(content))


def _named_tools(tools: Any, is_plain: Callable[[Mapping[str, Any], str], bool]) -> Iterator[str]:
    """``tool:<type>`` for every tool that is not plain, those inside of others included."""
    rest = list(tools) if isinstance(tools, list) else []
    while rest:
        tool = rest.pop()
        described = tool if isinstance(tool, Mapping) else {}
        kind = str(described.get("type") or "function")
        if not is_plain(described, kind):
            yield f"tool:{kind[:40]}"
        inner = described.get("tools")
        rest.extend(inner if isinstance(inner, list) else [])


def _runs_at_the_client(tool: Mapping[str, Any], kind: str) -> bool:
    """Whether the client runs a tool of the responses route, so that it costs its tokens only."""
    if kind == "tool_search":
        return bool(tool.get("execution") == "client")
    if kind == "shell":
        return bool(_inner(tool, "environment", "type") == "local")
    return kind in _CLIENT_TOOLS


def _is_anthropics_client_tool(tool: Mapping[str, Any], kind: str) -> bool:
    return kind in _PLAIN_TOOLS or kind.startswith(_ANTHROPIC_CLIENT_TOOLS)


def _definition(block: Mapping[str, Any]) -> Any:
    """The tool that a message adds; a mere reference to one adds none."""
    tool = block.get("tool")
    if not isinstance(tool, Mapping) or "reference" in str(tool.get("type")):
        return {}
    return tool.get("definition", tool)


def _compacts(management: Any) -> bool:
    """Whether edits of the context write a summary; those that clear only read less."""
    edits = management.get("edits") if isinstance(management, Mapping) else None
    return any(not str(edit.get("type")).startswith("clear_") for edit in objects(edits))
