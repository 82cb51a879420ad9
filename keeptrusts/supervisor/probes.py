"""Does a child answer? Readiness asked over HTTP, without proxies and without patience."""

import http.client

TIMEOUT_SECONDS = 2.0


def answers(host: str, port: int, path: str) -> bool:
    """Whether GET http://host:port/path is answered with a status below 400."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
