"""The stage that shows prompts to a target's ``/moderations`` and acts on what it says.

The targets that may serve the request are asked in their order, until one can say. One call of each
answers all policies. It is not charged to anybody's wallet: a policy is the operator's choice; the
event says that it was made. Without a policy nothing happens here.
"""

import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from gateway.moderation import texts, verdict
from gateway.moderation.texts import Unreadable
from gateway.moderation.verdict import Finding, Garbage
from gateway.policy import Target
from gateway.policy.schema import ContentFilter
from gateway.proxy import upstream
from gateway.proxy.call import Call
from gateway.proxy.errors import Blocked, UpstreamFailure
from gateway.proxy.upstream import Upstream

PATH = "/moderations"
PATIENCE_SECONDS = 5.0
MODERATIONS = "moderations"
"""The name of the route that asks for a moderation itself."""
UNAVAILABLE, CLOSED, FILTERED = (
    "moderation_unavailable", "content_filter_unavailable", "content_filter",
)  # fmt: skip


NONE_SECONDS = 300.0
"""A target that has no moderations is not asked for them again for so long."""
_NO_SUCH_ROUTE = frozenset(
    (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
)
NO_MODERATIONS = "no_moderations"
RETRY_SECONDS = 5
_NOT_NOW = "The content filter cannot be asked now, and requests may not pass without it."


class Unavailable(Exception):
    """Nobody could say; the message says why, in a word."""


class NoModerations(Unavailable):
    """Nobody who may be asked has moderations: it stays so until somebody changes the policy."""


class ContentFiltering:
    """A stage of the life of a request."""

    def __init__(self, provider: Upstream) -> None:
        self._upstream = provider
        self._without: dict[tuple[str, str], float] = {}

    async def start(self) -> None:
        """Nothing to open: the session is the provider's."""

    async def close(self) -> None:
        """Nothing to close."""

    async def before(self, call: Call) -> None:
        """Flag or refuse what the policies name; raises a 400, or a 503 where nobody can say."""
        policies = call.snapshot.policy.document.policies
        if not policies or call.route.name == MODERATIONS:
            return
        begun = time.monotonic()
        details: dict[str, Any] = {"target": call.targets[0].id, "charged": False}
        call.event.details["moderation"] = details
        try:
            categories = await self._first(call, details)
        except Unavailable as error:
            details["unavailable"] = str(error)
            _unavailable(call, policies, error)
            return
        finally:
            details["took_ms"] = int((time.monotonic() - begun) * 1000)
        details["categories"] = sorted(categories)
        _act(call, verdict.findings(policies, categories))

    async def _first(self, call: Call, details: dict[str, Any]) -> frozenset[str]:
        """What the first target that can say finds flagged; raises ``Unavailable``."""
        try:
            shown = texts.texts_of(call.request)
        except Unreadable as error:
            raise Unavailable("unreadable") from error
        if not shown:
            return frozenset()
        last: Unavailable = NoModerations(NO_MODERATIONS)
        for target in call.targets:
            key = target.id, target.base_url
            if time.monotonic() < self._without.get(key, 0.0):
                continue
            details["target"] = target.id
            try:
                return await self._categories(call, target, shown)
            except NoModerations:
                self._without[key] = time.monotonic() + NONE_SECONDS
            except Unavailable as error:
                last = error
        raise last

    async def _categories(self, call: Call, target: Target, shown: list[str]) -> frozenset[str]:
        """What is flagged in the prompt; raises ``Unavailable``."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                body = await self._ask(target, shown, call.exchange.headers)
            return verdict.flagged(orjson.loads(body))
        except TimeoutError as error:
            raise Unavailable("timeout") from error
        except UpstreamFailure as error:
            raise Unavailable(error.code or "upstream_error") from error
        except (orjson.JSONDecodeError, Garbage) as error:
            raise Unavailable("garbage") from error

    async def _ask(self, target: Target, shown: list[str], headers: Mapping[bytes, bytes]) -> bytes:
        body = orjson.dumps({"input": shown})
        async with self._upstream.post(
            target, PATH, body, headers, streamed=False, sent=_unnoticed
        ) as response:
            if response.status in _NO_SUCH_ROUTE:
                raise NoModerations(NO_MODERATIONS)
            if response.status != HTTPStatus.OK:
                raise Unavailable(f"status_{response.status}")
            return await upstream.whole(response, target)


def _unnoticed() -> None:
    """A moderation that went out is no request of the caller's: nobody pays for it."""


def _unavailable(call: Call, policies: list[ContentFilter], error: Unavailable) -> None:
    """Open for policies that flag, closed for those that block."""
    call.event.flags.append(UNAVAILABLE)
    closed = next((policy for policy in policies if policy.action == "block"), None)
    if closed is None:
        return
    lasting = isinstance(error, NoModerations)
    message = _nobody(call, closed) if lasting else _NOT_NOW
    rejected = Blocked(
        503,
        message,
        code=CLOSED,
        kind="service_unavailable",
        retry_after=None if lasting else RETRY_SECONDS,
        details={"policy": closed.name},
    )
    rejected.retry = not lasting
    raise rejected


def _nobody(call: Call, policy: ContentFilter) -> str:
    """What is to be configured."""
    targets = ", ".join(f"'{target.id}'" for target in call.targets)
    return (
        f"The policy '{policy.name}' blocks by content, and no target of the model "
        f"'{call.event.model}' has moderations (asked: {targets}). Add a target with "
        "/moderations that serves the model, or set the action of the policy to flag."
    )


def _act(call: Call, found: list[Finding]) -> None:
    flags = {f"{FILTERED}:{category}" for one in found for category in one.categories}
    call.event.flags.extend(sorted(flags))
    blocking = next((one for one in found if one.action == "block"), None)
    if blocking is not None:
        raise Blocked(
            400,
            "The prompt was refused by the content filter: " + ", ".join(blocking.categories),
            code=FILTERED,
            kind="invalid_request_error",
            details={"policy": blocking.policy, "categories": list(blocking.categories)},
        )
