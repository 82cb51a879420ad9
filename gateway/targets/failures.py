"""What kind of failure an attempt ended in, and what that means for the next one."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

import orjson


class _Meaning(NamedTuple):
    """``at_once``: the same target is asked again at once. ``later``: it may be, when no other is
    left. ``final``: nobody else is asked. ``harms``: the circuit breaker counts it.
    """

    name: str
    at_once: bool = False
    later: bool = False
    final: bool = False
    harms: bool = True


class Failure(Enum):
    """Why an attempt gave the client nothing."""

    CONNECTION = _Meaning("connection", at_once=True)
    """No connection, or it was lost before a status came."""
    TIMEOUT = _Meaning("timeout")
    """Slow now: asking the same target again would be slow again, and perhaps paid twice."""
    SERVER = _Meaning("server", later=True)
    """5xx, and what else says that the provider is at fault."""
    LIMITED = _Meaning("limited", later=True, harms=False)
    """429: it is well, and busy."""
    OUT_OF_QUOTA = _Meaning("out of quota", harms=False)
    """The account at the provider has no money: it stays so until somebody pays."""
    BROKEN_OFF = _Meaning("broken off", later=True)
    """A good status, and then the connection ended before anything was passed on."""
    UNAUTHORIZED = _Meaning("unauthorized")
    """Our own key was refused, or may not do this: never the caller's mistake."""
    USELESS = _Meaning("useless")
    """A good status and nothing that can be used; a redirect."""
    FINAL = _Meaning("final", final=True, harms=False)
    """The request's own fault, or not to be repeated: passed on as it is."""

    @property
    def at_once(self) -> bool:
        """Whether the same target is asked again before any other."""
        return self.value.at_once

    @property
    def later(self) -> bool:
        """Whether the same target may be asked again once no other is left."""
        return self.value.later

    @property
    def final(self) -> bool:
        """Whether nobody else is asked."""
        return self.value.final

    @property
    def harms(self) -> bool:
        """Whether it speaks against the target."""
        return self.value.harms


_BY_CODE = {
    "upstream_unreachable": Failure.CONNECTION,
    "upstream_timeout": Failure.TIMEOUT,
    "upstream_broke_off": Failure.BROKEN_OFF,
    "upstream_garbage": Failure.USELESS,
    "upstream_empty": Failure.USELESS,
}

_WITHOUT_MONEY = frozenset(
    {
        "access_terminated",
        "billing_error",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_credits",
        "insufficient_quota",
    }
)
"""``type`` or ``code`` of errors about the provider's account, in lower case."""
_ABOUT_OUR_KEY = frozenset(
    {
        "access_denied",
        "account_deactivated",
        "authentication_error",
        "forbidden",
        "insufficient_permissions",
        "invalid_api_key",
        "permission_denied",
        "permission_error",
        "unsupported_country_region_territory",
    }
)
"""``type`` or ``code`` of a 403 about the key or the account it belongs to, in lower case."""
_SPEAKS_OF_KEYS = re.compile(r"api[ _-]?key|credential|permission|not authorized|unauthorized")
_LOW_CREDIT = "credit balance is too low"
"""What Anthropic says in an error of the type for bad requests."""


def of_code(code: str) -> Failure:
    """The kind of a failure that was found here (``upstream_timeout``); unknown ones are final."""
    return _BY_CODE.get(code, Failure.FINAL)


def of_answer(status: int, body: bytes) -> Failure:
    """The kind of an answer by its HTTP ``status`` and the provider's error ``body``.

    A good status with an error in the body is the provider's fault.
    """
    if status == 402 or (_has_error(status) and _says_no_money(body)):
        return Failure.OUT_OF_QUOTA
    if status == 200 and _names(_error(body)) & _ABOUT_OUR_KEY:
        return Failure.UNAUTHORIZED
    if status == 429:
        return Failure.LIMITED
    if status >= 500 or status in (200, 408, 425):
        return Failure.SERVER
    # The provider's key is ours, never the caller's; and a redirect is never followed.
    if status == 401 or (status == 403 and _is_about_our_key(body)):
        return Failure.UNAUTHORIZED
    return Failure.USELESS if status < 400 else Failure.FINAL


def _has_error(status: int) -> bool:
    return status >= 400 or status == 200


def _says_no_money(body: bytes) -> bool:
    error = _error(body)
    return bool(_names(error) & _WITHOUT_MONEY) or _LOW_CREDIT in str(error.get("message")).lower()


def _is_about_our_key(body: bytes) -> bool:
    """A 403 that says nothing else: some providers refuse what is asked with it, too."""
    error = _error(body)
    if not error or _names(error) & _ABOUT_OUR_KEY:
        return True
    return _SPEAKS_OF_KEYS.search(str(error.get("message")).lower()) is not None


def _names(error: Mapping[str, Any]) -> set[str]:
    return {str(error.get(name)).lower() for name in ("type", "code", "status")}


def _error(body: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else {}
