"""In front of the real model: bounds how long an answer may become, and says what clients expect.

The model's own server takes any length a caller asks for; a model this small would wander for
minutes. A longer wish is cut to the longest answer, and the answer ends with `finish_reason`
"length". Events of `/v1/responses` get the numbers they lack; embeddings are refused.
"""

import json
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

from keeptrusts.model_server.events import Numbering

LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")
EVENTS = "text/event-stream"
MAX_BODY = 64 * 1024 * 1024
BEHIND = web.AppKey("behind", str)
LONGEST = web.AppKey("longest", int)
SESSION = web.AppKey("session", aiohttp.ClientSession)


def application(*, behind: str, longest: int) -> web.Application:
    """An application that passes everything on to the server at `behind` (no trailing slash) and
    asks it for at most `longest` tokens."""
    app = web.Application(client_max_size=MAX_BODY)
    app[BEHIND], app[LONGEST] = behind, longest
    app.cleanup_ctx.append(_session)
    app.router.add_post("/v1/embeddings", no_embeddings)
    app.router.add_route("*", "/{path:.*}", _pass_on)
    return app


async def _session(app: web.Application) -> AsyncIterator[None]:
    timeout = aiohttp.ClientTimeout(total=None)
    # The server behind closes connections when it likes: none is used twice.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as app[SESSION]:
        yield


async def no_embeddings(request: web.Request) -> web.Response:
    """The answer of a model that only writes text: 404, which no client tries again."""
    error = {
        "message": "The local model makes no embeddings: it answers chats, completions, responses.",
        "type": "invalid_request_error",
        "param": None,
        "code": "embeddings_not_supported",
    }
    return web.json_response({"error": error}, status=404)


async def _pass_on(request: web.Request) -> web.StreamResponse:
    body = bounded(await request.read(), request.app[LONGEST])
    async with request.app[SESSION].request(
        request.method,
        request.app[BEHIND] + request.path_qs,
        data=body,
        headers={"content-type": request.headers.get("content-type", "application/json")},
    ) as answer:
        response = web.StreamResponse(
            status=answer.status, headers={"content-type": answer.headers["content-type"]}
        )
        await response.prepare(request)
        numbered = request.path == "/v1/responses" and answer.content_type == EVENTS
        await _write(answer.content, response, Numbering() if numbered else None)
        await response.write_eof()
    return response


async def _write(
    parts: aiohttp.StreamReader, response: web.StreamResponse, numbering: Numbering | None
) -> None:
    async for part in parts.iter_any():
        await response.write(part if numbering is None else numbering.feed(part))
    if numbering is not None:
        await response.write(numbering.end())


def bounded(body: bytes, longest: int) -> bytes:
    """The request with every length it asks for cut to `longest`; what is no JSON object stays."""
    try:
        wish = json.loads(body)
    except ValueError:
        return body
    if not isinstance(wish, dict):
        return body
    lengths = {name: wish[name] for name in LENGTHS if _too_long(wish.get(name), longest)}
    return json.dumps(wish | dict.fromkeys(lengths, longest)).encode() if lengths else body


def _too_long(length: object, longest: int) -> bool:
    """Negative lengths mean "without end" to the server behind."""
    return isinstance(length, int | float) and (length > longest or length < 0)
