"""How often one caller may ask: a fixed window per minute, one counter, no history kept."""

import time
from typing import Any

from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from keeptrusts.lib.client_address import client_address

WINDOW_SECONDS = 60


class CallerThrottle(BaseThrottle):
    """At most so many calls a minute per credential; far fewer for callers who show none.

    Protects the database from a client that runs wild; it is no quota. Counted in the shared cache,
    without locks: a few calls too many may pass.
    """

    per_credential = 3000
    per_address = 300

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call; False once the window is full."""
        caller = getattr(request.user, "public_id", None)
        limit = self.per_credential if caller else self.per_address
        window = int(time.time()) // WINDOW_SECONDS
        key = f"api-calls:{caller or client_address(request._request) or 'local'}:{window}"
        if cache.add(key, 1, WINDOW_SECONDS * 2):
            return True
        try:
            return bool(cache.incr(key) <= limit)
        except ValueError:
            return True

    def wait(self) -> float:
        """Seconds until the next window."""
        return WINDOW_SECONDS - time.time() % WINDOW_SECONDS
