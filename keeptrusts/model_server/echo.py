"""The echo model: says what it was told, labelled as such, where the real model cannot run.

It speaks the chat route with the same shapes (plain, streaming, usage), so everything around it can
be tried.
"""

import json
import time
import uuid
from typing import Any

from aiohttp import web

from keeptrusts.model_server.front import no_embeddings

LABEL = "[echo model, not a language model]"
BYTES_PER_TOKEN = 4
NAME = web.AppKey("name", str)


def application(name: str) -> web.Application:
    """An application that answers as the model `name`."""
    app = web.Application()
    app[NAME] = name
    app.router.add_get("/health", _health)
    app.router.add_get("/v1/models", _models)
    app.router.add_post("/v1/chat/completions", _chat)
    app.router.add_post("/v1/embeddings", no_embeddings)
    return app


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _models(request: web.Request) -> web.Response:
    model = {
        "id": request.app[NAME],
        "object": "model",
        "created": 0,
        "owned_by": "echo",
    }
    return web.json_response({"object": "list", "data": [model]})


async def _chat(request: web.Request) -> web.StreamResponse:
    try:
        body = await request.json()
        prompt = _prompt(body["messages"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return _refusal("messages must be a list of objects with a text content")
    answer = _Answer(request.app[NAME], prompt, _limit(body))
    if not body.get("stream"):
        return web.json_response(answer.whole())
    with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    return await _stream(request, answer, with_usage=with_usage)


def _refusal(message: str) -> web.Response:
    error = {
        "message": message,
        "type": "invalid_request_error",
        "code": "invalid_messages",
    }
    return web.json_response({"error": error}, status=400)


def _limit(body: dict[str, Any]) -> int | None:
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return limit if isinstance(limit, int) and limit > 0 else None


def _prompt(messages: list[dict[str, Any]]) -> str:
    content = messages[-1].get("content") or ""
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content)
    return str(content)


def _tokens(text: str) -> int:
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


class _Answer:
    """One answer: the label and the prompt, cut at `limit` words (a word stands for a token when
    cutting)."""

    def __init__(self, model: str, prompt: str, limit: int | None) -> None:
        words = f"{LABEL} {prompt}".split()
        self.words = words[:limit]
        self.finish_reason = "stop" if len(self.words) == len(words) else "length"
        self.prompt_tokens = _tokens(prompt)
        self.head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": model,
        }

    def usage(self) -> dict[str, int]:
        produced = len(self.words)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": produced,
            "total_tokens": self.prompt_tokens + produced,
        }

    def whole(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": " ".join(self.words)}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        return {
            **self.head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": self.usage(),
        }

    def chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**self.head, "object": "chat.completion.chunk", "choices": [choice]}

    def chunks(self, *, with_usage: bool) -> list[dict[str, Any]]:
        pieces = [self.words[0], *(f" {word}" for word in self.words[1:])]
        chunks = [self.chunk({"role": "assistant", "content": ""})]
        chunks += [self.chunk({"content": piece}) for piece in pieces]
        chunks.append(self.chunk({}, self.finish_reason))
        if with_usage:
            chunks.append({**self.chunk({}), "choices": [], "usage": self.usage()})
        return chunks


async def _stream(request: web.Request, answer: _Answer, *, with_usage: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for chunk in answer.chunks(with_usage=with_usage):
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response
