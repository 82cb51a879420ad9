"""``POST /v1/chat/completions``, plain and streamed."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway import tokens
from gateway.pricing import catalogue
from gateway.pricing.usage import Reading, Usage, merged
from gateway.proxy import errors, fields, sse
from gateway.proxy.route import Request, Route

KEEP_RAW = 65_536
"""Bytes of a stream kept unread; most streams report their usage and are never counted."""
_NOT_TEXT = frozenset({"role", "id", "type", "index", "finish_reason", "logprobs"})

_TEXTS = ("delta", "message", "text")
"""Where a choice of a chunk has its text; some servers stream messages or bare texts."""


class ChatStream:
    """One streamed chat completion."""

    __slots__ = ("_hide_usage", "_raw", "_raw_size", "_text", "delivered", "done", "error", "usage")

    def __init__(self, request: Request) -> None:
        options = request.get("stream_options")
        asked = isinstance(options, Mapping) and options.get("include_usage")
        self._hide_usage = not asked
        self._raw: list[bytes] = []
        self._raw_size = 0
        self._text: list[str] = []
        self.usage: Reading | None = None
        self.error: Any = None
        self.done = False
        self.delivered = False

    def feed(self, block: bytes) -> bytes:
        """What the client gets: everything but ``[DONE]`` and a usage it did not ask for."""
        if self.done:
            return b""
        self._raw.append(block)
        self._raw_size += len(block)
        if self._raw_size > KEEP_RAW:
            self._digest()
        if not self.delivered and _has_choices(block):
            self.delivered = True
        if not _remarkable(block):
            return block
        return b"".join(event for event in sse.events(block) if self._passes(event))

    def _passes(self, event: bytes) -> bool:
        if self.done:
            return False
        if sse.data_of(event) == b"[DONE]":
            self.done = True
            return False
        if b'"usage"' not in event and b'"error"' not in event:
            return True
        value = sse.object_of(event)
        if value.get("error"):
            self.error = value["error"]
        usage = value.get("usage")
        if not isinstance(usage, Mapping):
            return True
        self.usage = merged(self.usage, Usage.from_openai(usage))
        return bool(value.get("choices")) or not self._hide_usage

    def text(self) -> str:
        """All text of all choices so far."""
        self._digest()
        return "".join(self._text)

    def end(self) -> bytes:
        """``[DONE]``, where it has come."""
        return sse.DONE if self.done else b""

    def _digest(self) -> None:
        raw, self._raw, self._raw_size = self._raw, [], 0
        for event in sse.events(b"".join(raw)):
            for choice in _choices(sse.object_of(event)):
                for name in _TEXTS:
                    self._text.extend(_strings(choice.get(name)))


def _has_choices(block: bytes) -> bool:
    return b'"delta"' in block or (b'"choices"' in block and b'"text"' in block)


def _remarkable(block: bytes) -> bool:
    """Whether an event of the block must be looked into; chunks with ``"usage": null`` need not."""
    if b"[DONE]" in block or b'"error"' in block:
        return True
    found = block.count(b'"usage"')
    return bool(found) and found > block.count(b'"usage":null') + block.count(b'"usage": null')


def _choices(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    choices = value.get("choices")
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, Mapping):
            yield choice


def _strings(value: Any) -> Iterator[str]:
    """Every text inside a message or delta: content, reasoning, names and arguments of calls."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in _NOT_TEXT:
                yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def answer_text(answer: Mapping[str, Any]) -> str:
    """All text of a plain answer."""
    return "".join(
        text
        for choice in _choices(answer)
        for name in _TEXTS
        for text in _strings(choice.get(name))
    )


def read_usage(answer: Mapping[str, Any]) -> Reading:
    """What a plain answer says that it took."""
    return Usage.from_openai(answer.get("usage"))


def stream_changes(request: Request) -> dict[str, Any]:
    """Usage is asked for upstream, whatever the client asked for."""
    options = request.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise errors.invalid_field("stream_options", "must be an object")
    if options and options.get("include_usage") is True:
        return {}
    return {"stream_options": {**(options or {}), "include_usage": True}}


ROUTE = Route(
    name="chat.completions",
    path="/v1/chat/completions",
    upstream_path="/chat/completions",
    price=tokens.estimate,
    count_prompt=tokens.count_prompt,
    answer_text=answer_text,
    read_usage=read_usage,
    stream=ChatStream,
    stream_changes=stream_changes,
    knows=catalogue.writes_text,
    check_fields=fields.check,
    cacheable=True,
)
