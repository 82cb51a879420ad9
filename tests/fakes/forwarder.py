"""A TCP forwarder that a test can cut: what stands behind it is gone until it is restored."""

import contextlib
import socket
import threading
from contextlib import AbstractContextManager

Address = tuple[str, int] | str


class Forwarder(AbstractContextManager["Forwarder"]):
    """Listens on ``port`` and passes bytes to ``target`` (host and port, or a socket's path)."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._pairs: list[socket.socket] = []
        self._lock = threading.Lock()
        self._cut = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        with self._lock:
            self._cut = True
            pairs, self._pairs = self._pairs, []
        for end in pairs:
            _close(end)

    def restore(self) -> None:
        """Let new connections through again."""
        with self._lock:
            self._cut = False

    def __exit__(self, *_exception: object) -> None:
        self.cut()
        # Closing alone would leave the thread in accept().
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            self._connect(near)

    def _connect(self, near: socket.socket) -> None:
        with self._lock:
            if self._cut:
                _close(near)
                return
            far = self._dial()
            self._pairs += [near, far]
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

    def _dial(self) -> socket.socket:
        if isinstance(self._target, str):
            found = socket.socket(socket.AF_UNIX)
            found.connect(self._target)
            return found
        return socket.create_connection(self._target)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    _close(source)
    _close(sink)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
