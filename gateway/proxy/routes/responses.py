"""``POST /v1/responses``, plain and streamed."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway import tokens
from gateway.pricing import catalogue
from gateway.pricing.usage import Reading, Usage, at_tier, merged
from gateway.proxy import fields, sse
from gateway.proxy.errors import Rejected
from gateway.proxy.route import Request, Route
from gateway.proxy.routes import unspoken
from gateway.proxy.routes.responses_replay import ResponsesReplay
from gateway.proxy.routes.watching import Watching, strings
from gateway.values import objects

ENDINGS = ("response.completed", "response.incomplete", "response.failed")
ITEM_DONE = "response.output_item.done"
_WHOLE_MARKS = tuple(kind.encode() for kind in (ITEM_DONE, *ENDINGS))
_MARKS = (*(ending.encode() for ending in ENDINGS), b'"error"', b"[DONE]")
_NOT_TEXT = frozenset(
    (
        *("type", "id", "role", "status", "call_id", "phase", "logprobs", "annotations"),
        "encrypted_content",
    )
)


class ResponseStream(Watching):
    """One streamed response; the event that has all of it is the last.

    Most providers write in deltas. What came in none of them is in the item when it is done, or in
    the response when that ends: it counts once, by the place of the item in the output.
    """

    __slots__ = ("_heard", "_named")

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._heard: set[int | None] = set()
        self._named: set[int | None] = set()

    def _passes(self, event: bytes) -> bool:
        if sse.data_of(event) == b"[DONE]":
            self._hold_back(event)
            return False
        value = sse.object_of(event)
        if value.get("type") in ENDINGS:
            self._finish(value)
            self._hold_back(event)
            return False
        if value.get("type") == "error" or value.get("error"):
            self.error = value.get("error") or value
        return True

    def _finish(self, value: Mapping[str, Any]) -> None:
        response = value.get("response")
        if not isinstance(response, Mapping):
            return
        if isinstance(response.get("usage"), Mapping):
            self.usage = merged(self.usage, read_usage(response))
        if value.get("type") == "response.failed":
            self.error = response.get("error") or "failed"

    def _has_text(self, block: bytes) -> bool:
        if b'"delta"' in block:
            return True
        if not any(mark in block for mark in _WHOLE_MARKS):
            return False
        wholes = (whole for event in sse.events(block) for whole in _wholes(sse.object_of(event)))
        return any(text for _, item in wholes for text in strings(item, _NOT_TEXT))

    def _is_remarkable(self, block: bytes) -> bool:
        return any(mark in block for mark in _MARKS)

    def _texts_of(self, value: Mapping[str, Any]) -> Iterator[str]:
        """What was written, and the names of the functions that were called."""
        index, item = _place(value), value.get("item")
        if isinstance(value.get("delta"), str):
            self._heard.add(index)
            yield value["delta"]
        elif value.get("type") == "response.output_item.added" and isinstance(item, Mapping):
            name = item.get("name")
            if isinstance(name, str):
                self._named.add(index)
                yield name
        for index, item in _wholes(value):
            yield from self._unheard(index, item)

    def _unheard(self, index: int | None, item: Mapping[str, Any]) -> Iterator[str]:
        """The text of an item that was not written in deltas."""
        # A delta that does not say its place may be of any item.
        if index in self._heard or None in self._heard:
            return
        self._heard.add(index)
        yield from strings(item, _NOT_TEXT | {"name"} if index in self._named else _NOT_TEXT)


def _place(value: Mapping[str, Any]) -> int | None:
    """Where in the output the item of an event stands; None where it does not say."""
    index = value.get("output_index")
    return index if isinstance(index, int) else None


def _wholes(value: Mapping[str, Any]) -> Iterator[tuple[int | None, Mapping[str, Any]]]:
    """The finished items of an event, each with its place in the output."""
    if value.get("type") == ITEM_DONE and isinstance(value.get("item"), Mapping):
        yield _place(value), value["item"]
    elif value.get("type") in ENDINGS and isinstance(value.get("response"), Mapping):
        yield from enumerate(objects(value["response"].get("output")))


def answer_text(answer: Mapping[str, Any]) -> str:
    """All text of a plain answer."""
    return "".join(
        text for item in objects(answer.get("output")) for text in strings(item, _NOT_TEXT)
    )


def read_usage(answer: Mapping[str, Any]) -> Reading:
    """What a plain answer says that it took."""
    return at_tier(Usage.from_openai(answer.get("usage")), answer.get("service_tier"))


def is_empty(answer: Mapping[str, Any]) -> bool:
    """Nothing was written, and nothing is reported."""
    return not answer.get("output") and not answer.get("usage")


def error_event(rejected: Rejected) -> bytes:
    """The route's own ``error`` event, with the error as clients of other routes find it too."""
    error = orjson.loads(rejected.body())["error"]
    event = {
        "type": "error",
        "code": error.get("code"),
        "message": error.get("message"),
        "param": error.get("param"),
        "sequence_number": 0,
        "error": error,
    }
    return b"event: error\ndata: " + orjson.dumps(event) + b"\n\n"


ROUTE = Route(
    name="responses",
    path="/v1/responses",
    upstream_path="/responses",
    price=tokens.response_estimate,
    count_prompt=tokens.count_response_prompt,
    answer_text=answer_text,
    read_usage=read_usage,
    stream=ResponseStream,
    stream_changes=unspoken.no_changes,
    knows=catalogue.writes_text,
    check_fields=fields.RESPONSES.check,
    error_event=error_event,
    is_empty=is_empty,
    replay=ResponsesReplay(),
    cacheable=True,
)
