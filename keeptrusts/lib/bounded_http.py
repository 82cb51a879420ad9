"""HTTP/1.1 as uvicorn speaks it, for clients that send endless headers or none at all."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 65_536
"""Bytes of a request line and its headers together."""
HEAD_SECONDS = 30.0
"""From the first byte of a request (or the connection's start) to the end of its headers."""

_TOO_LARGE = b"The request's headers are larger than 65536 bytes."


class BoundedProtocol(HttpToolsProtocol):
    """Refuses what is too large with 431 and closes what is too slow."""

    _head = 0
    _in_head = True
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client that only connects must begin to speak in time."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._head_complete()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head = 0
        self._expect_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One more header: pieces that come in one packet with a body count here."""
        self._head += len(name) + len(value) + 4
        if self._head > MAX_HEAD:
            # The parser ends here and has ``send_400_response`` called.
            raise ValueError("the headers are too large")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The request may be served."""
        self._head_complete()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Bytes of the client; those of unfinished headers are bounded as well."""
        begun_in_head = self._in_head
        super().data_received(data)
        if begun_in_head and self._in_head:
            self._head += len(data)
            if self._head > MAX_HEAD and not self.transport.is_closing():
                self._refuse()

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed; headers that are too large are among it."""
        if self._head > MAX_HEAD:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _expect_head(self) -> None:
        self._in_head = True
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._close)

    def _head_complete(self) -> None:
        self._in_head = False
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.close()

    def _refuse(self) -> None:
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
            b"content-type: text/plain; charset=utf-8\r\ncontent-length: "
            + str(len(_TOO_LARGE)).encode()
            + b"\r\n\r\n"
            + _TOO_LARGE
        )
        self.transport.close()
