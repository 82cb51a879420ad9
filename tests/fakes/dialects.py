"""What the fake provider says on routes other than chat: the shapes of OpenAI and Anthropic."""

import json
from typing import Any

Json = dict[str, Any]
Usage = dict[str, Any]

CREATED = 1_700_000_000


def answer(path: str, body: Json, words: tuple[str, ...], usage: Usage | None) -> Json | None:
    """The plain answer of a route; None for one that is not known here."""
    shape = _PLAIN.get(path.removeprefix("/v1"))
    return shape(body, "".join(words), usage) if shape is not None else None


def events(
    path: str, body: Json, words: tuple[str, ...], usage: Usage | None
) -> list[bytes] | None:
    """The events of a streamed answer, a word each; None for a route that is not known here."""
    shape = _STREAMS.get(path.removeprefix("/v1"))
    return shape(body, words, usage) if shape is not None else None


def named(value: Json) -> bytes:
    """An event whose name is its type."""
    return f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode()


def data(value: Json) -> bytes:
    """An event without a name."""
    return f"data: {json.dumps(value)}\n\n".encode()


def _with(answer: Json, usage: Usage | None) -> Json:
    return answer if usage is None else answer | {"usage": usage}


def _text_frame(body: Json) -> Json:
    model = body.get("model")
    return {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": model}


def _text(body: Json, text: str, usage: Usage | None) -> Json:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}
    return _with(_text_frame(body) | {"choices": [choice]}, usage)


def _text_events(body: Json, words: tuple[str, ...], usage: Usage | None) -> list[bytes]:
    frame = _text_frame(body)
    pieces: list[tuple[str, str | None]] = [*((word, None) for word in words), ("", "stop")]
    parts = [
        frame | {"choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": reason}]}
        for text, reason in pieces
    ]
    if usage is not None and (body.get("stream_options") or {}).get("include_usage"):
        parts.append(frame | {"choices": [], "usage": usage})
    return [*(data(part) for part in parts), b"data: [DONE]\n\n"]


def _embedding(body: Json, text: str, usage: Usage | None) -> Json:
    given = body["input"]
    count = len(given) if isinstance(given, list) and not isinstance(given[0], int) else 1
    rows = [{"object": "embedding", "index": n, "embedding": [0.5, -0.25]} for n in range(count)]
    return _with({"object": "list", "model": body.get("model"), "data": rows}, usage)


def _moderation(body: Json, text: str, usage: Usage | None) -> Json:
    result = {
        "flagged": "hate" in str(body.get("input")),
        "categories": {"hate": "hate" in str(body.get("input"))},
        "category_scores": {"hate": 0.01},
        "category_applied_input_types": {"hate": ["text"]},
    }
    return {"id": "modr-1", "model": body.get("model"), "results": [result]}


def _response(body: Json, text: str, usage: Usage | None) -> Json:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
        "content": [part],
    }  # fmt: skip
    return {
        "id": "resp_1", "object": "response", "created_at": CREATED, "status": "completed",
        "model": body.get("model"), "output": [message], "error": None, "incomplete_details": None,
        "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0,
        "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": usage,
    }  # fmt: skip


def _response_events(body: Json, words: tuple[str, ...], usage: Usage | None) -> list[bytes]:
    whole = _response(body, "".join(words), usage)
    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    message = whole["output"][0]
    place = {"item_id": "msg_1", "output_index": 0}
    at = place | {"content_index": 0}
    part = message["content"][0]
    said: list[Json] = [
        {"type": "response.created", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": message | {"content": [], "status": "in_progress"},
        },
        {"type": "response.content_part.added", **at, "part": part | {"text": ""}},
    ]
    said += [
        {"type": "response.output_text.delta", **at, "delta": word, "logprobs": []}
        for word in words
    ]
    said += [
        {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": whole},
    ]
    return [named(value | {"sequence_number": number}) for number, value in enumerate(said)]


def anthropic_usage(usage: Usage | None) -> Usage:
    """The same counts in Anthropic's words, where they are in OpenAI's."""
    given = usage or {}
    if "prompt_tokens" not in given:
        return given
    return {"input_tokens": given["prompt_tokens"], "output_tokens": given["completion_tokens"]}


def _message(body: Json, text: str, usage: Usage | None) -> Json:
    whole = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": body.get("model"),
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
        "stop_sequence": None,
    }  # fmt: skip
    return whole if usage is None else whole | {"usage": anthropic_usage(usage)}


def _message_events(body: Json, words: tuple[str, ...], usage: Usage | None) -> list[bytes]:
    whole = _message(body, "", usage)
    begun = whole | {"content": [], "stop_reason": None}
    ending: Json = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    }
    if usage is not None:
        begun["usage"] = whole["usage"] | {"output_tokens": 1}
        ending["usage"] = {"output_tokens": whole["usage"]["output_tokens"]}
    said: list[Json] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    said += [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": word},
        }
        for word in words
    ]
    said += [{"type": "content_block_stop", "index": 0}, ending, {"type": "message_stop"}]
    return [named(value) for value in said]


def _count(body: Json, text: str, usage: Usage | None) -> Json:
    return {"input_tokens": 14}


_PLAIN = {
    "/completions": _text,
    "/embeddings": _embedding,
    "/moderations": _moderation,
    "/responses": _response,
    "/messages": _message,
    "/messages/count_tokens": _count,
}
_STREAMS = {
    "/completions": _text_events,
    "/responses": _response_events,
    "/messages": _message_events,
}
