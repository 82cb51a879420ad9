"""Tools: what the model may call, what it called, and what came of it."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.adapters.anthropic.fields import unsupported
from gateway.adapters.anthropic.parts import Block, cache_mark
from gateway.proxy.errors import invalid_field

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}", re.ASCII)
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_SPARE_LEVELS = 8
"""Levels of lists and objects around a tool's input in the body that is sent."""


def definitions(request: Mapping[str, Any]) -> list[Block]:
    """``tools``, or the older ``functions``, as tools of the client's own.

    Any other kind runs at the provider and is billed apart: refused, whatever the gateway's price
    rule said of it.
    """
    tools, functions = request.get("tools"), request.get("functions")
    if tools and functions:
        raise invalid_field("functions", "cannot be given together with tools")
    name = "functions" if functions else "tools"
    given = functions or tools or []
    if not isinstance(given, list):
        raise invalid_field(name, "must be a list")
    unwrap = _definition if name == "functions" else _tool
    return [unwrap(tool, f"{name}.{index}") for index, tool in enumerate(given)]


def _tool(tool: Any, field: str) -> Block:
    if not isinstance(tool, Mapping):
        raise invalid_field(field, "must be an object")
    if tool.get("type") != "function":
        raise unsupported(f"{field}.type", "only tools of type function can be offered")
    return _definition(tool.get("function"), f"{field}.function") | cache_mark(tool, field)


def _definition(function: Any, field: str) -> Block:
    if not isinstance(function, Mapping):
        raise invalid_field(field, "must be an object with a name")
    tool: Block = {"name": _name(function, field)}
    description = function.get("description")
    if description is not None and not isinstance(description, str):
        raise invalid_field(f"{field}.description", "must be a string")
    if description:
        tool["description"] = description
    tool["input_schema"] = _schema(function.get("parameters"), f"{field}.parameters")
    return tool | ({"strict": True} if function.get("strict") is True else {})


def _name(function: Mapping[str, Any], field: str) -> str:
    name = function.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise invalid_field(f"{field}.name", "must be 1 to 128 letters, digits, _ or -")
    return name


def _schema(parameters: Any, field: str) -> Block:
    if parameters is None:
        return {"type": "object", "properties": {}}
    if not isinstance(parameters, Mapping) or parameters.get("type", "object") != "object":
        raise invalid_field(field, "must be a JSON schema of type object")
    return {"type": "object", **parameters}


def choice(request: Mapping[str, Any], tools: list[Block]) -> Block | None:
    """``tool_choice`` (or ``function_call``) together with ``parallel_tool_calls``."""
    name = "function_call" if request.get("function_call") is not None else "tool_choice"
    wish = _wish(request.get(name), name)
    single = request.get("parallel_tool_calls") is False
    if not tools:
        if wish is not None and wish["type"] not in ("auto", "none"):
            raise invalid_field(name, "asks for a tool where none is given")
        return None
    if single and (wish is None or wish["type"] != "none"):
        return {**(wish or {"type": "auto"}), "disable_parallel_tool_use": True}
    return wish


def _wish(value: Any, field: str) -> Block | None:
    if value is None:
        return None
    if isinstance(value, str) and value in _CHOICES:
        return {"type": _CHOICES[value]}
    if isinstance(value, Mapping):
        if field == "function_call":
            return {"type": "tool", "name": _name(value, field)}
        if value.get("type") == "function" and isinstance(value.get("function"), Mapping):
            return {"type": "tool", "name": _name(value["function"], f"{field}.function")}
    raise unsupported(field, "it can be auto, none, required or one function")


def calls(message: Mapping[str, Any], field: str) -> list[Block]:
    """The tool calls of an assistant's message."""
    given = message.get("tool_calls")
    if given is not None and not isinstance(given, list):
        raise invalid_field(f"{field}.tool_calls", "must be a list")
    return [_call(call, f"{field}.tool_calls.{index}") for index, call in enumerate(given or [])]


def _call(call: Any, field: str) -> Block:
    if not isinstance(call, Mapping) or not isinstance(call.get("function"), Mapping):
        raise invalid_field(field, "must be an object with an id and a function")
    if call.get("type", "function") != "function":
        raise unsupported(f"{field}.type", "only calls of functions can be sent")
    number = identity(call.get("id"), f"{field}.id")
    return use(call["function"], number, f"{field}.function")


def use(function: Mapping[str, Any], number: str, field: str) -> Block:
    """One call of a function as a block."""
    arguments = _arguments(function.get("arguments"), f"{field}.arguments")
    return {"type": "tool_use", "id": number, "name": _name(function, field), "input": arguments}


def identity(value: Any, field: str) -> str:
    """The id of a call. One with characters Anthropic does not take is replaced by a digest, the
    same for the call and its result.
    """
    if not isinstance(value, str) or not value:
        raise invalid_field(field, "must be a string that is not empty")
    if _ID.fullmatch(value):
        return value
    return f"call_{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _arguments(written: Any, field: str) -> dict[str, Any]:
    if written is None or written == "":
        return {}
    try:
        value = orjson.loads(written) if isinstance(written, str) else None
        # What is nested deeper than the writer of the body can go must not get into it.
        orjson.dumps(_nested(value))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        value = None
    if not isinstance(value, dict):
        raise invalid_field(field, "must be a JSON object, written as a string")
    return value


def _nested(value: Any) -> Any:
    for _ in range(_SPARE_LEVELS):
        value = [value]
    return value
