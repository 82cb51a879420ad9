"""Between the plain and the streamed form of a response."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from gateway.proxy import sse
from gateway.proxy.route import Request
from gateway.values import objects

Json = dict[str, Any]
Part = tuple[str, Json]
"""The kind of an event and what it says beside that."""

_ENDINGS = {"incomplete": "response.incomplete", "failed": "response.failed"}


class ResponsesReplay:
    """The last event of a stream is the whole answer, so one way is easy."""

    def whole(self, events: bytes) -> Json:
        """The response in the event that ends the stream; raises ``ValueError`` without one."""
        for event in reversed(sse.events(events)):
            response = sse.object_of(event).get("response")
            if isinstance(response, dict):
                return response
        raise ValueError("a stream without a response in it")

    def events(self, answer: Mapping[str, Any], request: Request) -> bytes:
        """A whole stream that says what a plain answer says."""
        parts = enumerate(_parts(answer))
        return b"".join(_event(kind, number, value) for number, (kind, value) in parts)


def _event(kind: str, number: int, value: Json) -> bytes:
    data = orjson.dumps({"type": kind, "sequence_number": number, **value})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def _parts(answer: Mapping[str, Any]) -> Iterator[Part]:
    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(objects(answer.get("output"))):
        yield from _item(dict(item), index)
    ending = _ENDINGS.get(str(answer.get("status")), "response.completed")
    yield ending, {"response": dict(answer)}


def _item(item: Json, index: int) -> Iterator[Part]:
    """One item of the output, from nothing to its whole."""
    begun = {**item, **_begun(item)}
    if "status" in item:
        begun["status"] = "in_progress"
    yield "response.output_item.added", {"output_index": index, "item": begun}
    place = {"item_id": item.get("id"), "output_index": index}
    yield from _INSIDE.get(str(item.get("type")), _nothing)(item, place)
    yield "response.output_item.done", {"output_index": index, "item": item}


def _begun(item: Mapping[str, Any]) -> Json:
    """What an item has not got when it begins."""
    lists: Json = {name: [] for name in ("content", "summary") if isinstance(item.get(name), list)}
    texts = {name: "" for name in ("arguments", "input") if isinstance(item.get(name), str)}
    return lists | texts


def _nothing(item: Json, place: Json) -> Iterator[Part]:
    yield from ()


def _message(item: Json, place: Json) -> Iterator[Part]:
    for index, part in enumerate(objects(item.get("content"))):
        at = place | {"content_index": index}
        name = "refusal" if part.get("type") == "refusal" else "text"
        kind = "response.refusal" if name == "refusal" else "response.output_text"
        begun = {**part, name: ""}
        if isinstance(part.get("annotations"), list):
            begun["annotations"] = []
        yield "response.content_part.added", at | {"part": begun}
        yield from _text(kind, name, part, at)
        yield "response.content_part.done", at | {"part": dict(part)}


def _text(kind: str, name: str, part: Mapping[str, Any], at: Json) -> Iterator[Part]:
    text = part.get(name)
    beside = {"logprobs": part.get("logprobs") or []} if name == "text" else {}
    yield f"{kind}.delta", at | {"delta": text} | beside
    for number, annotation in enumerate(objects(part.get("annotations"))):
        beyond = {"annotation_index": number, "annotation": dict(annotation)}
        yield f"{kind}.annotation.added", at | beyond
    yield f"{kind}.done", at | {name: text} | beside


def _reasoning(item: Json, place: Json) -> Iterator[Part]:
    for index, part in enumerate(objects(item.get("summary"))):
        at, text = place | {"summary_index": index}, part.get("text")
        yield "response.reasoning_summary_part.added", at | {"part": {**part, "text": ""}}
        yield "response.reasoning_summary_text.delta", at | {"delta": text}
        yield "response.reasoning_summary_text.done", at | {"text": text}
        yield "response.reasoning_summary_part.done", at | {"part": dict(part)}
    for index, part in enumerate(objects(item.get("content"))):
        at, text = place | {"content_index": index}, part.get("text")
        yield "response.content_part.added", at | {"part": {**part, "text": ""}}
        yield "response.reasoning_text.delta", at | {"delta": text}
        yield "response.reasoning_text.done", at | {"text": text}
        yield "response.content_part.done", at | {"part": dict(part)}


def _function(item: Json, place: Json) -> Iterator[Part]:
    arguments = item.get("arguments")
    whole = place | {"name": item.get("name"), "arguments": arguments}
    yield "response.function_call_arguments.delta", place | {"delta": arguments}
    yield "response.function_call_arguments.done", whole


def _custom(item: Json, place: Json) -> Iterator[Part]:
    given = item.get("input")
    yield "response.custom_tool_call_input.delta", place | {"delta": given}
    yield "response.custom_tool_call_input.done", place | {"input": given}


_INSIDE: dict[str, Callable[[Json, Json], Iterator[Part]]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _function,
    "custom_tool_call": _custom,
}
