"""In front of the real model: bounds how long an answer may become.

The model's own server takes any length a caller asks for; a model this small would wander for
minutes. A longer wish is cut to the longest answer, and the answer ends with `finish_reason`
"length".
"""

import json
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")
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
    app.router.add_route("*", "/{path:.*}", _pass_on)
    return app


async def _session(app: web.Application) -> AsyncIterator[None]:
    timeout = aiohttp.ClientTimeout(total=None)
    # The server behind closes connections when it likes: none is used twice.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as app[SESSION]:
        yield


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
        async for part in answer.content.iter_any():
            await response.write(part)
        await response.write_eof()
    return response


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
