"""Between the plain and the streamed form of a message of Anthropic's API."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.proxy import sse
from gateway.proxy.route import Request
from gateway.values import objects

Json = dict[str, Any]

_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
"""Kinds of deltas whose text grows, each under its name in the delta and in the block."""
_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_AT_THE_END = frozenset(("stop_reason", "stop_sequence", "stop_details", "context_management"))


class MessagesReplay:
    """Blocks of a message and the events they come in."""

    def whole(self, events: bytes) -> Json:
        """The plain message that a whole stream stands for."""
        message: Json = {}
        blocks: dict[int, Json] = {}
        inputs: dict[int, str] = {}
        for event in sse.events(events):
            value = sse.object_of(event)
            kind, index = value.get("type"), value.get("index", 0)
            if kind == "message_start":
                message = dict(value.get("message") or {})
            elif kind == "content_block_start":
                blocks[index] = dict(value.get("content_block") or {})
            elif kind == "content_block_delta":
                _add(blocks.setdefault(index, {}), value.get("delta") or {}, inputs, index)
            elif kind == "message_delta":
                _finish(message, value)
        for index, text in inputs.items():
            blocks[index]["input"] = _input(text, blocks[index].get("input"))
        message["content"] = [blocks[index] for index in sorted(blocks)]
        return message

    def events(self, answer: Mapping[str, Any], request: Request) -> bytes:
        """A whole stream: start, blocks, the end with the whole usage, stop."""
        return b"".join(_event(value) for value in _parts(answer))


def _event(value: Json) -> bytes:
    return b"event: " + str(value["type"]).encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n"


def _add(block: Json, delta: Mapping[str, Any], inputs: dict[int, str], index: int) -> None:
    kind = str(delta.get("type"))
    if kind in _TEXTS:
        name = _TEXTS[kind]
        block[name] = str(block.get(name) or "") + str(delta.get(name) or "")
    elif kind == "input_json_delta":
        inputs[index] = inputs.get(index, "") + str(delta.get("partial_json") or "")
    elif kind == "citations_delta":
        block["citations"] = [*(block.get("citations") or []), delta.get("citation")]
    else:
        block |= {name: value for name, value in delta.items() if name != "type"}


def _input(text: str, before: Any) -> Any:
    """The input of a tool; a call that was cut off in its middle has none."""
    try:
        return orjson.loads(text) if text else before
    except orjson.JSONDecodeError:
        return before


def _finish(message: Json, value: Mapping[str, Any]) -> None:
    """Counts of a delta are totals; what it leaves out stays as it was."""
    message |= value.get("delta") or {}
    message |= {
        name: value[name] for name in ("context_management", "container") if value.get(name)
    }
    usage = value.get("usage") or {}
    kept = {name: count for name, count in usage.items() if count is not None}
    message["usage"] = {**(message.get("usage") or {}), **kept}


def _parts(answer: Mapping[str, Any]) -> Iterator[Json]:
    end = {name: value for name, value in answer.items() if name in _AT_THE_END}
    usage = answer.get("usage") or {}
    begun = {**answer, **dict.fromkeys(end), "content": []}
    if usage:
        begun["usage"] = {**usage, "output_tokens": 0}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(objects(answer.get("content"))):
        yield from _block(dict(block), index)
    yield {"type": "message_delta", "delta": end, "usage": dict(usage)}
    yield {"type": "message_stop"}


def _block(block: Json, index: int) -> Iterator[Json]:
    begun, deltas = _taken_apart(block)
    yield {"type": "content_block_start", "index": index, "content_block": begun}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _taken_apart(block: Json) -> tuple[Json, list[Json]]:
    """A block as it begins, and what comes after: texts, the input of a tool, citations."""
    begun, deltas = dict(block), []
    if block.get("type") in ("text", "thinking"):
        for kind, name in _TEXTS.items():
            if isinstance(block.get(name), str):
                begun[name] = ""
                deltas.append({"type": kind, name: block[name]})
    if block.get("type") in _CALLS and block.get("input"):
        begun["input"] = {}
        text = orjson.dumps(block["input"]).decode()
        deltas.append({"type": "input_json_delta", "partial_json": text})
    if isinstance(block.get("citations"), list) and block["citations"]:
        begun["citations"] = []
        deltas += [{"type": "citations_delta", "citation": c} for c in block["citations"]]
    return begun, deltas
