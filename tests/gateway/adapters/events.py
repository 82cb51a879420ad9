"""Streams of Anthropic's Messages API for tests."""

import json
from collections.abc import Sequence
from typing import Any

Event = dict[str, Any]


def encoded(events: Sequence[Event]) -> bytes:
    """The events as they come over the wire."""
    return b"".join(
        f"event: {event.get('type')}\ndata: {json.dumps(event)}\n\n".encode() for event in events
    )


def events_of(message: dict[str, Any], *, piece: int = 4) -> list[Event]:
    """The whole stream of a message, its texts and inputs in pieces of ``piece`` characters."""
    usage = dict(message["usage"])
    final = {name: usage[name] for name in ("output_tokens", "output_tokens_details")}
    usage |= {"output_tokens": 1, "output_tokens_details": {"thinking_tokens": 0}}
    empty = {**message, "content": [], "stop_reason": None, "usage": usage}
    events = [{"type": "message_start", "message": empty}, {"type": "ping"}]
    for index, block in enumerate(message["content"]):
        events += [{"index": index, **event} for event in _block(block, piece)]
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    return [
        *events,
        {"type": "message_delta", "delta": ended, "usage": final},
        {"type": "message_stop"},
    ]


def _block(block: dict[str, Any], piece: int) -> list[Event]:
    start, deltas = _deltas(block, piece)
    return [
        {"type": "content_block_start", "content_block": start},
        *({"type": "content_block_delta", "delta": delta} for delta in deltas),
        {"type": "content_block_stop"},
    ]


def _deltas(block: dict[str, Any], piece: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    kind = block["type"]
    if kind == "tool_use":
        written = json.dumps(block["input"], separators=(",", ":")) if block["input"] else ""
        deltas = [
            {"type": "input_json_delta", "partial_json": part}
            for part in ["", *_pieces(written, piece)]
        ]
        return {**block, "input": {}}, deltas
    deltas = [{"type": f"{kind}_delta", kind: part} for part in _pieces(block[kind], piece)]
    if kind == "thinking":
        deltas.append({"type": "signature_delta", "signature": "c2ln"})
    return {"type": kind, kind: ""}, deltas


def _pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
