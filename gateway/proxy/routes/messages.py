"""``POST /v1/messages`` of Anthropic's API, plain and streamed, and the count of its tokens."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway import tokens
from gateway.pricing import Usage, catalogue
from gateway.pricing.usage import COMPLETION_MISSING, Reading, merged
from gateway.proxy import fields, sse
from gateway.proxy.route import Request, Route
from gateway.proxy.routes import unspoken
from gateway.proxy.routes.messages_errors import error_body, error_event
from gateway.proxy.routes.messages_replay import MessagesReplay
from gateway.proxy.routes.watching import Watching, strings
from gateway.values import objects

_MARKS = (b"message_start", b"message_delta", b"message_stop", b'"error"')
_DELTAS = ("text", "partial_json", "thinking")
_NOT_TEXT = frozenset(("type", "id", "tool_use_id", "signature", "data", "citations", "caller"))


class MessageStream(Watching):
    """One streamed message: usage comes with its start and, growing, with its deltas."""

    __slots__ = ("_reported",)

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._reported: dict[str, Any] = {}

    def _passes(self, event: bytes) -> bool:
        value = sse.object_of(event)
        kind = value.get("type")
        if kind == "message_stop":
            self._hold_back(event)
            return False
        if kind == "error":
            self.error = value.get("error") or value
        elif kind == "message_start" and isinstance(value.get("message"), Mapping):
            self._begin(value["message"].get("usage"))
        elif kind == "message_delta":
            self._grow(value.get("usage"))
        return True

    def _begin(self, usage: Any) -> None:
        """The prompt is known from the start; the first few tokens of the answer are no count."""
        if isinstance(usage, Mapping):
            self._reported.update(usage)
            self._reported.pop("output_tokens", None)
            found, flags = Usage.from_anthropic({**usage, "output_tokens": None})
            self.usage = found, flags | {COMPLETION_MISSING}

    def _grow(self, usage: Any) -> None:
        """Counts are totals: what a delta leaves out is as it was."""
        if isinstance(usage, Mapping):
            self._reported.update(
                (name, count) for name, count in usage.items() if count is not None
            )
            self.usage = merged(self.usage, Usage.from_anthropic(self._reported))

    def _has_text(self, block: bytes) -> bool:
        if b"content_block_delta" in block:
            return True
        if b"content_block_start" not in block:
            return False
        return any(
            text for event in sse.events(block) for text in self._texts_of(sse.object_of(event))
        )

    def _is_remarkable(self, block: bytes) -> bool:
        return any(mark in block for mark in _MARKS)

    def _texts_of(self, value: Mapping[str, Any]) -> Iterator[str]:
        """Text, thinking, and the names and inputs of tools."""
        delta, block = value.get("delta"), value.get("content_block")
        if value.get("type") == "content_block_delta" and isinstance(delta, Mapping):
            yield from (delta[name] for name in _DELTAS if isinstance(delta.get(name), str))
        elif value.get("type") == "content_block_start" and isinstance(block, Mapping):
            yield from strings(block, _NOT_TEXT)


def answer_text(answer: Mapping[str, Any]) -> str:
    """All text of a plain answer."""
    return "".join(
        text for block in objects(answer.get("content")) for text in strings(block, _NOT_TEXT)
    )


def read_usage(answer: Mapping[str, Any]) -> Reading:
    """What a plain answer says that it took."""
    return Usage.from_anthropic(answer.get("usage"))


def is_empty(answer: Mapping[str, Any]) -> bool:
    """Nothing was written, and nothing is reported."""
    return not answer.get("content") and not answer.get("usage")


def end_user(request: Mapping[str, Any]) -> Any:
    """``metadata.user_id``."""
    metadata = request.get("metadata")
    return metadata.get("user_id") if isinstance(metadata, Mapping) else None


def header_features(headers: Mapping[bytes, bytes]) -> tuple[str, ...]:
    """A wider context is asked for by a header; its prompts may have a price of their own."""
    asked = headers.get(b"anthropic-beta", b"").lower()
    return (tokens.LONG_CONTEXT,) if b"context-1m" in asked else ()


def _no_usage(answer: Mapping[str, Any]) -> Reading:
    """A count is no use of the model."""
    return Usage(), frozenset()


def _counts_nothing(answer: Mapping[str, Any]) -> bool:
    return "input_tokens" not in answer


def _always(model: str) -> bool:
    return True


ROUTE = Route(
    name="messages",
    path="/v1/messages",
    upstream_path="/messages",
    price=tokens.message_estimate,
    count_prompt=tokens.count_message_prompt,
    answer_text=answer_text,
    read_usage=read_usage,
    stream=MessageStream,
    stream_changes=unspoken.no_changes,
    knows=catalogue.writes_text,
    check_fields=fields.MESSAGES.check,
    error_body=error_body,
    error_event=error_event,
    is_empty=is_empty,
    end_user=end_user,
    header_features=header_features,
    replay=MessagesReplay(),
    cacheable=True,
)

COUNT_TOKENS = Route(
    name="messages.count_tokens",
    path="/v1/messages/count_tokens",
    upstream_path="/messages/count_tokens",
    price=tokens.no_estimate,
    count_prompt=lambda request, model: 0,
    answer_text=unspoken.no_text,
    read_usage=_no_usage,
    stream=None,
    stream_changes=unspoken.no_changes,
    knows=catalogue.writes_text,
    is_free=_always,
    check_fields=fields.MESSAGES.check,
    error_body=error_body,
    error_event=error_event,
    is_empty=_counts_nothing,
    end_user=end_user,
)
