"""``POST /v1/chat/completions``, plain and streamed."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway import tokens
from gateway.pricing import catalogue
from gateway.pricing.usage import Reading, Usage, at_tier, merged
from gateway.proxy import errors, fields, sse
from gateway.proxy.route import Request, Route
from gateway.proxy.routes.chat_replay import ChatReplay
from gateway.proxy.routes.watching import Watching, strings
from gateway.values import objects

_NOT_TEXT = frozenset({"role", "id", "type", "index", "finish_reason", "logprobs"})

_TEXTS = ("delta", "message", "text")
"""Where a choice of a chunk has its text; some servers stream messages or bare texts."""


class ChatStream(Watching):
    """One streamed completion, of a chat or of a text."""

    __slots__ = ("_hide_usage",)

    def __init__(self, request: Request) -> None:
        super().__init__()
        options = request.get("stream_options")
        asked = isinstance(options, Mapping) and options.get("include_usage")
        self._hide_usage = not asked

    def _passes(self, event: bytes) -> bool:
        """What the client gets: everything but ``[DONE]`` and a usage it did not ask for."""
        if sse.data_of(event) == b"[DONE]":
            self._hold_back(sse.DONE)
            return False
        if b'"usage"' not in event and b'"error"' not in event:
            return True
        value = sse.object_of(event)
        if value.get("error"):
            self.error = value["error"]
        usage = value.get("usage")
        if not isinstance(usage, Mapping):
            return True
        reading = at_tier(Usage.from_openai(usage), value.get("service_tier"))
        self.usage = merged(self.usage, reading)
        return bool(value.get("choices")) or not self._hide_usage

    def _has_text(self, block: bytes) -> bool:
        whole = b'"text"' in block or b'"message"' in block
        return b'"delta"' in block or (whole and b'"choices"' in block)

    def _is_remarkable(self, block: bytes) -> bool:
        """Whether an event must be looked into; chunks with ``"usage": null`` need not."""
        if b"[DONE]" in block or b'"error"' in block:
            return True
        found = block.count(b'"usage"')
        nothing = block.count(b'"usage":null') + block.count(b'"usage": null')
        return bool(found) and found > nothing

    def _texts_of(self, value: Mapping[str, Any]) -> Iterator[str]:
        """Content, reasoning, names and arguments of calls, of all choices."""
        for choice in objects(value.get("choices")):
            for name in _TEXTS:
                yield from strings(choice.get(name), _NOT_TEXT)


def answer_text(answer: Mapping[str, Any]) -> str:
    """All text of a plain answer."""
    return "".join(
        text
        for choice in objects(answer.get("choices"))
        for name in _TEXTS
        for text in strings(choice.get(name), _NOT_TEXT)
    )


def read_usage(answer: Mapping[str, Any]) -> Reading:
    """What a plain answer says that it took."""
    return at_tier(Usage.from_openai(answer.get("usage")), answer.get("service_tier"))


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
    check_fields=fields.CHAT.check,
    replay=ChatReplay("chat.completion", "chat.completion.chunk"),
    cacheable=True,
)
