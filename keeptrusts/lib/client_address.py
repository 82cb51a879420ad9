"""Where a request comes from, believing only as many reverse proxies as the settings name."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest, *_credentials: object) -> str:
    """The client's IP address; "" when the server does not know it (a socket file).

    With KEEPTRUSTS_PROXY_COUNT proxies in front, the address is the one the outermost of them saw:
    that many items from the right of X-Forwarded-For. What stands further left is the client's
    own claim.
    """
    count: int = settings.PROXY_COUNT
    remote: str = request.META.get("REMOTE_ADDR") or ""
    if not count:
        return _address(remote)
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    return _address(hops[-count]) if len(hops) >= count else _address(remote)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
