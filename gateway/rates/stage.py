"""The stage that counts requests against the limits of their group.

Tokens are admitted by what was used so far plus the prompt: a completion that may never come
refuses nobody. When the request has ended, its tokens are corrected to what it really used.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from gateway.proxy import bodies, errors
from gateway.proxy.call import Call
from gateway.rates import headers
from gateway.rates.counting import Counted, Counting
from gateway.rates.memory import Clock
from gateway.rates.rules import Correction, Rule, Standing, Use, rules_of
from gateway.snapshot import Caller
from gateway.tokens import InvalidRequest

DEGRADED = "rate_limit_degraded"
REASON = "rate_limited"
CODE = "rate_limit_exceeded"
CLOSE_SECONDS = 1.0


class RateLimiting:
    """A stage of the life of a request. ``redis_url`` empty: every process counts for itself."""

    def __init__(self, redis_url: str, clock: Clock | None = None) -> None:
        self._redis_url = redis_url
        self._clock = clock
        self._counting: Counting | None = None
        self._corrections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Make the pool; connections are opened when they are needed."""
        self._counting = Counting(self._redis_url, self._clock)

    async def close(self) -> None:
        """Finish the last corrections and close the connections."""
        if self._corrections:
            await asyncio.wait(self._corrections, timeout=CLOSE_SECONDS)
        if self._counting is not None:
            await self._counting.close()

    async def before(self, call: Call) -> None:
        """Count the request; raises a 429, which counts for nothing."""
        rules = rules_of(call.caller.settings.rate_limits)
        if not rules:
            return
        assert self._counting is not None
        group = group_of(call.caller)
        prompt = await _prompt(call) if any(rule.kind == "tokens" for rule in rules) else 0
        uses = [Use(rule, 1 if rule.kind == "requests" else prompt) for rule in rules]
        counted = await self._counting.take(group, uses)
        call.extra.extend(headers.of(counted.taken.standings))
        if counted.degraded:
            call.event.flags.append(DEGRADED)
        if not counted.taken.ok:
            raise _limited(call, counted)
        tokens = [rule for rule in rules if rule.kind == "tokens"]
        if tokens:
            call.at_end.append(lambda ended: self._correct(ended, group, counted, tokens, prompt))

    def _correct(
        self, call: Call, group: str, counted: Counted, rules: list[Rule], prompt: int
    ) -> None:
        """From the prompt's estimate to what the provider did."""
        event = call.event
        used = event.prompt_tokens + event.completion_tokens if event.verdict != "cached" else 0
        if used != prompt and self._counting is not None:
            corrections = [Correction(rule, counted.taken.now, used - prompt) for rule in rules]
            self._later(self._counting.give(group, counted, corrections))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._corrections.add(task)
        task.add_done_callback(self._corrections.discard)


def group_of(caller: Caller) -> str:
    """Whose limits they are: a consumer group's, all its keys together, or a person's in a team."""
    who = f"group:{caller.group_name}" if caller.group_name else f"user:{caller.user_id}"
    return f"{caller.organization_id}:{caller.team.id}:{who}"


async def _prompt(call: Call) -> int:
    try:
        count = call.route.count_prompt
        return await bodies.looked_into(call.body, count, call.request, call.event.model)
    except InvalidRequest as error:
        raise errors.invalid(error) from None


def _limited(call: Call, counted: Counted) -> errors.Blocked:
    """The limit that keeps the request waiting longest, and for how long."""
    found = [one for one in counted.taken.standings if one.fits_in != 0]
    worst = max(found, key=lambda one: float("inf") if one.fits_in is None else one.fits_in)
    if worst.fits_in is None:
        # No wait would help: clients that know the header do not try again.
        call.extra.append((b"x-should-retry", b"false"))
    else:
        call.extra.append((b"retry-after-ms", str(worst.fits_in).encode()))
    rejected = errors.Blocked(
        429,
        _message(call.caller, worst),
        code=CODE,
        kind=worst.use.rule.kind,
        retry_after=None if worst.fits_in is None else -(-worst.fits_in // 1_000),
        details={
            "limit": worst.use.rule.name,
            "most": worst.use.rule.most,
            "used": worst.used,
            "requested": worst.use.need,
        },
    )
    rejected.reason = REASON
    return rejected


def _message(caller: Caller, worst: Standing) -> str:
    use = worst.use
    facts = f"Limit {use.rule.most}, Used {worst.used}, Requested {use.need}."
    whom = f"consumer group: {caller.group_name}" if caller.group_name else "this user"
    name = use.rule.name.replace("_", " ")
    if worst.fits_in is None:
        return f"Request too large for {whom} on {name}: {facts}"
    after = headers.duration(worst.fits_in)
    return f"Rate limit reached for {whom} on {name}: {facts} Please try again in {after}."
