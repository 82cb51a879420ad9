"""Answers of well-behaved providers, each with a usage of its own, and the sum of what they said.

The text of a request decides about its answer: the same text has the same usage every time.
"""

import json
import zlib
from collections.abc import Callable
from typing import Any

from tests.fakes import dialects
from tests.fakes.hostile import Asked, Script, head, plain

Json = dict[str, Any]

INPUT, OUTPUT, EMBEDDED = 150, 600, 20
"""Nano-dollars per token of gpt-4o-mini, and of text-embedding-3-small."""
MESSAGE = (2_000, 10_000)
"""The same of claude-sonnet-5."""
WORDS = ("Clouds", " drift", " by")


def usage_of(raw: bytes) -> Json:
    """10 to 41 tokens in and 1 to 32 out, by the bytes of the request."""
    found = zlib.crc32(raw)
    prompt, completion = 10 + found % 32, 1 + (found >> 8) % 32
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def cost_of(asked: Asked) -> int:
    """Nano-dollars of the answer to a request."""
    usage = usage_of(asked.raw)
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    if asked.path.endswith("/embeddings"):
        return prompt * EMBEDDED
    if asked.path.endswith("/messages"):
        return prompt * MESSAGE[0] + completion * MESSAGE[1]
    return prompt * INPUT + completion * OUTPUT


def answer(asked: Asked) -> Script:
    """A whole answer in the dialect of the route, plain or streamed."""
    body, usage = asked.body, usage_of(asked.raw)
    if asked.path.endswith("/embeddings"):
        del usage["completion_tokens"]
    if not body.get("stream"):
        found = dialects.answer(asked.path, body, WORDS, usage) or chat(body, usage)
        return [plain(json.dumps(found).encode())]
    events = dialects.events(asked.path, body, WORDS, usage) or chat_events(body, usage)
    return [head(content_type="text/event-stream"), *events]


def chat(body: Json, usage: Json | None) -> Json:
    """A plain completion."""
    message = {"role": "assistant", "content": "".join(WORDS)}
    found = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": dialects.CREATED,
        "model": body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }  # fmt: skip
    return found if usage is None else found | {"usage": usage}


def chat_events(body: Json, usage: Json | None) -> list[bytes]:
    """A streamed completion: a word an event, the usage, the end."""
    frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": body.get("model")}
    deltas: list[tuple[Json, str | None]] = [({"content": word}, None) for word in WORDS]
    parts: list[Json] = [
        frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in [*deltas, ({}, "stop")]
    ]
    if usage is not None:
        parts.append(frame | {"choices": [], "usage": usage})
    return [*(dialects.data(part) for part in parts), b"data: [DONE]\n\n"]


class Meter:
    """Adds up what the answers cost that were written to their end. ``fault`` may replace one."""

    def __init__(self) -> None:
        self.total = 0
        self.answers = 0
        self.faults = 0
        self.fault: Callable[[Asked], Script | None] = lambda asked: None

    def plan(self, asked: Asked) -> Script:
        """How a request is answered."""
        found = self.fault(asked)
        if found is not None:
            self.faults += 1
            return found
        self.answers += 1
        self.total += cost_of(asked)
        return answer(asked)
