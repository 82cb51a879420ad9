"""Does a child answer? Readiness asked over HTTP, without proxies and without patience."""

import http.client
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 2.0
MOST_BYTES = 1000


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


def ask(url: str) -> tuple[int | None, str]:
    """The status of GET `url` and the beginning of its body; None and the reason without an
    answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
            return int(answer.status), _beginning(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _beginning(error)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return None, str(getattr(error, "reason", None) or error)


def _beginning(answer: Any) -> str:
    return " ".join(answer.read(MOST_BYTES).decode("utf-8", "replace").split())
