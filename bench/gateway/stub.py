"""The upstream: `python -m bench.gateway.stub` prints its port and answers every POST at once.

Plain answers and streams report 14 + 25 tokens; a stream is ten pieces, a usage event and [DONE].
"""

import asyncio
import sys

import uvloop

PIECES = 10
USAGE = b'"usage":{"prompt_tokens":14,"completion_tokens":25,"total_tokens":39}'
HEAD = b'{"id":"chatcmpl-bench","object":"%s","created":1750000000,"model":"gpt-4o-mini",'


def _plain() -> bytes:
    text = b"Keep what you commit, and commit what you keep: that is all there is to it, mostly."
    body = (
        HEAD % b"chat.completion"
        + b'"choices":[{"index":0,"message":{"role":"assistant","content":"%s"},' % text
        + b'"logprobs":null,"finish_reason":"stop"}],'
        + USAGE
        + b"}"
    )
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _stream() -> bytes:
    start = HEAD % b"chat.completion.chunk"
    choice = b'"choices":[{"index":0,"delta":{"content":"kept "},"finish_reason":null}]'
    events = [start + choice + b"}"] * PIECES
    events += [start + b'"choices":[],' + USAGE + b"}", b"[DONE]"]
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    return head + b"".join(_chunk(b"data: %s\n\n" % event) for event in events) + b"0\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


PLAIN, STREAM = _plain(), _stream()


class Upstream(asyncio.Protocol):
    """One connection; requests come one after the other, each with a content-length."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            _, _, rest = head.partition(b"content-length:")
            whole = end + 4 + int(rest.split(b"\r\n", 1)[0] or 0)
            if len(self._data) < whole:
                return
            body, self._data = self._data[end + 4 : whole], self._data[whole:]
            self._transport.write(STREAM if b'"stream":true' in body else PLAIN)


async def main() -> None:
    """Serve on a free port of the loopback address until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1])
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
