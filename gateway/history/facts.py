"""What an event says of texts without any of them: how many, how long, which tools.

Names come from outside: they are few, short and printable before they reach the database.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.proxy.routes.watching import strings
from gateway.values import objects

Facts = dict[str, Any]

MOST_NAMES = 50
NAME_LENGTH = 64
ID_LENGTH = 100

PROMPT = ("system", "instructions", "messages", "input", "prompt")
"""Fields of all routes that hold the prompt."""
ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))
KINDS = frozenset(
    ("function_call", "function_call_output", "reasoning", "item_reference", "compaction")
)
"""Items of a prompt that have no role."""
NO_TEXT = frozenset(
    ("role", "type", "id", "tool_call_id", "call_id", "tool_use_id", "index", "detail")
    + ("url", "image_url", "data", "file_data", "encrypted_content", "signature", "media_type")
)
"""Names and bytes, which count as no characters of a text."""
CALLS = frozenset(("function_call", "custom_tool_call", "mcp_call", "tool_use", "server_tool_use"))
"""Types of answered items that call a tool."""


def of_request(request: Mapping[str, Any]) -> Facts:
    """Messages and items by role, characters of the prompt, names of offered tools."""
    counted = Counter(role for name in PROMPT for role in _roles(name, request.get(name)))
    prompt = {name: request[name] for name in PROMPT if name in request}
    return {
        "messages": dict(counted),
        "characters": sum(map(len, strings(prompt, NO_TEXT))),
        "tools": _names(_offered(request)),
    }


def of_answer(answer: Mapping[str, Any], text: str) -> Facts:
    """Its id, characters of ``text``, why it ended, names of called tools."""
    return {
        "id": _clean(answer.get("id"), ID_LENGTH),
        "characters": len(text),
        "finish_reasons": _names(_reasons(answer)),
        "tools": _names(_called(answer)),
    }


def _roles(field: str, value: Any) -> Iterator[str]:
    """What every part of a field counts as; a text is one part, and so is a list of tokens."""
    if value is None:
        return
    if not isinstance(value, list) or all(isinstance(item, int) for item in value):
        yield "user" if field == "input" else field
        return
    if field in ("system", "instructions"):
        yield field
        return
    for item in value:
        yield _role(item) if isinstance(item, Mapping) else field


def _role(item: Mapping[str, Any]) -> str:
    role, kind = item.get("role"), item.get("type")
    if isinstance(role, str) and role in ROLES:
        return role
    return kind if isinstance(kind, str) and kind in KINDS else "other"


def _offered(request: Mapping[str, Any]) -> Iterator[Any]:
    for tool in objects(request.get("tools")):
        function = tool.get("function")
        named = function if isinstance(function, Mapping) else tool
        yield named.get("name") or tool.get("type")
    for function in objects(request.get("functions")):
        yield function.get("name")


def _called(answer: Mapping[str, Any]) -> Iterator[Any]:
    for choice in objects(answer.get("choices")):
        message = choice.get("message")
        if isinstance(message, Mapping):
            for call in objects(message.get("tool_calls")):
                yield from _function(call)
            yield from _function({"function": message.get("function_call")})
    for item in (*objects(answer.get("output")), *objects(answer.get("content"))):
        if item.get("type") in CALLS:
            yield item.get("name")


def _function(call: Mapping[str, Any]) -> Iterator[Any]:
    for kind in ("function", "custom"):
        named = call.get(kind)
        if isinstance(named, Mapping):
            yield named.get("name")


def _reasons(answer: Mapping[str, Any]) -> Iterator[Any]:
    for choice in objects(answer.get("choices")):
        yield choice.get("finish_reason")
    incomplete = answer.get("incomplete_details")
    if isinstance(incomplete, Mapping):
        yield incomplete.get("reason")
    elif "output" in answer:
        yield answer.get("status")
    yield answer.get("stop_reason")


def _names(values: Iterable[Any]) -> list[str]:
    """Each once, in order."""
    found = dict.fromkeys(
        _clean(value, NAME_LENGTH) for value in values if isinstance(value, str) and value
    )
    return list(found)[:MOST_NAMES]


def _clean(value: Any, most: int) -> str:
    text = value[:most] if isinstance(value, str) else ""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
