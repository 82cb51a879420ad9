"""TCP ports of this machine."""

import errno
import socket


class PortUnavailable(Exception):
    """The address cannot be listened on: taken by another program, not permitted, or not this
    machine's."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        self.host, self.port = host, port
        taken = error.errno == errno.EADDRINUSE
        reason = "is taken by another program" if taken else f"cannot be used: {error.strerror}"
        super().__init__(f"port {port} on {host} {reason}")


def listening(host: str, port: int, *, backlog: int = 1, shared: bool = False) -> socket.socket:
    """A socket that listens on host:port (0: any unused one); raises PortUnavailable.

    `shared` sockets may listen beside one another: the kernel deals connections out among them.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    # Connections of an earlier run that linger in TIME_WAIT must not look like a listener.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host, port))
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise PortUnavailable(host, port, error) from error
    return sock


def require_free(host: str, port: int) -> None:
    """Raise PortUnavailable unless host:port can be listened on now."""
    listening(host, port).close()


def unused(host: str = "127.0.0.1") -> int:
    """A port nobody listens on at this moment."""
    with listening(host, 0) as sock:
        return int(sock.getsockname()[1])
