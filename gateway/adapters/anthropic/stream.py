"""The events of a streamed message as the chunks of a streamed chat completion."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from gateway.adapters.anthropic import answer, errors
from gateway.adapters.anthropic.answer import as_text
from gateway.adapters.anthropic.usage import Report
from gateway.proxy import sse

Event = Mapping[str, Any]

_SAID = {"text": "content", "thinking": "reasoning_content"}


class ChatTranslator:
    """Of one stream. Whatever arrives, only ``UpstreamFailure`` is raised, as in ``answer``.

    The role comes with the first content, so that an error before it finds nothing delivered. What
    is not known is left out. A stream that breaks off ends without ``[DONE]``.
    """

    def __init__(self, *, model: Any, created: int) -> None:
        self.usage: dict[str, Any] | None = None
        self._frame = {
            "id": "",
            "object": "chat.completion.chunk",
            "created": created,
            "model": as_text(model),
            "system_fingerprint": None,
        }
        self._report = Report()
        self._told: dict[str, Any] = {}
        self._started = self._finished = self._ended = False
        self._calls: dict[Any, _ToolCall] = {}
        self._handlers: dict[str, Callable[[Event], Iterator[bytes]]] = {
            "message_start": self._start,
            "content_block_start": self._block_start,
            "content_block_delta": self._block_delta,
            "content_block_stop": self._block_stop,
            "message_delta": self._message_delta,
            "message_stop": self._stop,
            "error": self._error,
            "ping": self._ping,
        }

    def feed(self, block: bytes) -> bytes:
        """Chunks for a block of whole events."""
        return b"".join(
            chunk for event in sse.events(block) for chunk in self._chunks(sse.object_of(event))
        )

    def _chunks(self, event: Event) -> Iterator[bytes]:
        handler = self._handlers.get(as_text(event.get("type")))
        if handler is not None and not self._ended:
            yield from handler(event)

    def _start(self, event: Event) -> Iterator[bytes]:
        message = _mapping(event.get("message"))
        self._frame["id"] = as_text(message.get("id")) or self._frame["id"]
        self._frame["model"] = as_text(message.get("model")) or self._frame["model"]
        self._report.add(message.get("usage"))
        self.usage = self._report.prompt() or None
        yield from ()

    def _ping(self, _event: Event) -> Iterator[bytes]:
        """Keeps the line alive; before the first content it would only rule out another attempt."""
        if self._started:
            yield b": ping\n\n"

    def _block_start(self, event: Event) -> Iterator[bytes]:
        block = _mapping(event.get("content_block"))
        if block.get("type") == "tool_use":
            call = _ToolCall(len(self._calls), block)
            self._calls[_key(event)] = call
            yield from self._delta({"tool_calls": [call.head()]})
        else:
            yield from self._said(block)

    def _block_delta(self, event: Event) -> Iterator[bytes]:
        delta = _mapping(event.get("delta"))
        if delta.get("type") != "input_json_delta":
            yield from self._said(delta)
            return
        call, piece = self._calls.get(_key(event)), as_text(delta.get("partial_json"))
        if call is not None and piece:
            yield from self._delta({"tool_calls": [call.piece(piece)]})

    def _said(self, block: Event) -> Iterator[bytes]:
        """Text and thoughts; signatures and citations have no place in a chunk."""
        name = as_text(block.get("type")).removesuffix("_delta")
        if name in _SAID and (text := as_text(block.get(name))):
            yield from self._delta({_SAID[name]: text})

    def _block_stop(self, event: Event) -> Iterator[bytes]:
        call = self._calls.get(_key(event))
        if call is not None and not call.begun:
            yield from self._delta({"tool_calls": [call.piece(answer.arguments(call.block))]})

    def _message_delta(self, event: Event) -> Iterator[bytes]:
        self._report.add(event.get("usage"))
        self.usage = self._report.whole() or None
        delta = _mapping(event.get("delta"))
        if delta.get("stop_reason") is not None and not self._finished:
            if (refusal := answer.refusal(delta)) is not None:
                yield from self._delta({"refusal": refusal})
            yield from self._finish(delta["stop_reason"])

    def _finish(self, reason: Any) -> Iterator[bytes]:
        yield from self._opening()
        self._finished = True
        yield self._chunk(
            [{"index": 0, "delta": {}, "finish_reason": answer.finish_reason(reason)}]
        )
        yield from self._tell_usage()

    def _tell_usage(self) -> Iterator[bytes]:
        usage = self._report.whole()
        if usage and usage != self._told:
            self._told = usage
            yield self._chunk([], usage=usage)

    def _stop(self, _event: Event) -> Iterator[bytes]:
        if self._started and not self._finished:
            yield from self._finish(None)
        yield from self._tell_usage()
        self._ended = True
        yield sse.DONE

    def _error(self, event: Event) -> Iterator[bytes]:
        self._ended = True
        yield b"data: " + orjson.dumps(errors.shaped(event)) + b"\n\n"

    def _opening(self) -> Iterator[bytes]:
        if not self._started:
            self._started = True
            yield self._choice({"role": "assistant", "content": ""})

    def _delta(self, delta: dict[str, Any]) -> Iterator[bytes]:
        yield from self._opening()
        yield self._choice(delta)

    def _choice(self, delta: dict[str, Any]) -> bytes:
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": None}])

    def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return b"data: " + orjson.dumps({**self._frame, "choices": choices, **more}) + b"\n\n"


class _ToolCall:
    """One call while its arguments arrive. ``begun``: some of them have."""

    def __init__(self, index: int, block: Event) -> None:
        self.block = block
        self.begun = False
        self._index = index

    def head(self) -> dict[str, Any]:
        """Says which function is called; its arguments follow."""
        function = {"name": as_text(self.block.get("name")), "arguments": ""}
        return {
            "index": self._index,
            "id": as_text(self.block.get("id")),
            "type": "function",
            "function": function,
        }

    def piece(self, arguments: str) -> dict[str, Any]:
        """The next piece of the arguments."""
        self.begun = True
        return {"index": self._index, "function": {"arguments": arguments}}


def _mapping(value: Any) -> Event:
    return value if isinstance(value, Mapping) else {}


def _key(event: Event) -> str:
    """The block an event is about, as something to look up, whatever was sent as its index."""
    return repr(event.get("index"))
