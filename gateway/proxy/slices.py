"""Holds of streams that grow with the answer, instead of holding the worst case from the start.

Only the prompt and one slice of the answer is held at first. What has been delivered is bounded
from above; before the hold is used up it is extended, and nothing goes out that is not covered.
When the wallet has no more, the extension waits for others to settle; then the whole hold moves to
the next wallet that may pay; only then is the stream ended.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from gateway.pricing import Usage, worst_case_nanos
from gateway.proxy import admission, errors, hidden, refusals, unpaid
from gateway.proxy.call import Admission, Call
from gateway.proxy.errors import Blocked, Rejected
from gateway.proxy.meter import Meter
from gateway.proxy.route import Stream
from gateway.waiting.places import Place
from gateway.waiting.room import Room
from keeptrusts.lib import ids, money
from wallets.errors import InsufficientFunds, LedgerUnavailable, Refused
from wallets.ledger import Extend, Heartbeat, Move, Reserve, Result, Waiting
from wallets.models import Entry

log = logging.getLogger(__name__)

HEADER, WORST_CASE = b"x-keeptrusts-hold", b"worst_case"
SLICE = 256
"""Completion tokens of each choice that are held ahead."""
GROWTH = 4
"""An extension is a slice, or one part in so many of what is held: long answers take few parts."""
LEDGER_SECONDS, RETRY_SECONDS = 10.0, 0.25


@dataclass(frozen=True, slots=True)
class Steps:
    """Nano-dollars that must be held for so many completion tokens at one target."""

    admitted: Admission

    @property
    def most(self) -> int:
        """Completion tokens the answer can have."""
        return self.admitted.estimate.completion_tokens

    @property
    def slice(self) -> int:
        """Tokens held ahead."""
        return SLICE * self.admitted.estimate.choices

    def hold(self, tokens: int) -> int:
        """What covers the prompt and ``tokens`` of the answer."""
        estimate, priced = self.admitted.estimate, self.admitted.priced
        assert priced is not None
        return worst_case_nanos(
            estimate.prompt_tokens, min(tokens, self.most), priced.rates, audio=False
        )

    def covered_by(self, held: int) -> int:
        """Completion tokens that ``held`` nano-dollars cover."""
        nothing, all_of_it = self.hold(0), self.hold(self.most)
        if held >= all_of_it:
            return self.most
        return max(0, (held - nothing) * self.most // (all_of_it - nothing) - 1)

    def after(self, tokens: int, delivered: int) -> int:
        """The tokens to be covered next, where ``tokens`` are and ``delivered`` went out."""
        step = max(self.slice, tokens // GROWTH)
        return min(self.most, max(tokens, delivered) + step)


def check_header(call: Call) -> None:
    """A request may ask for the worst case to be held, and for nothing else."""
    if call.exchange.headers.get(HEADER, WORST_CASE) != WORST_CASE:
        raise errors.invalid_field(HEADER.decode(), "must be worst_case")


def steps(call: Call) -> Steps | None:
    """How the hold of a request may grow; None where the worst case is held."""
    admitted = call.admission
    assert admitted is not None
    if not call.streamed or admitted.priced is None or call.caller.settings.hold != "progressive":
        return None
    if HEADER in call.exchange.headers:
        return None
    found = Steps(admitted)
    if found.most <= found.slice or hidden.hides_output(call.request, call.event.model, admitted):
        return None
    return found


TicketOf = Callable[[Call, InsufficientFunds], Awaitable[str | None]]
"""Has the shortage that ends a stream written down, and answers the id of its cost ticket."""


class Growing:
    """The hold of one stream. Its methods belong to the stream's task."""

    def __init__(self, call: Call, plan: Steps, room: Room, ticket: TicketOf) -> None:
        self._call = call
        self._plan = plan
        self._room = room
        self._ticket = ticket
        self._covered = plan.slice
        self._meter = Meter(call)
        self._extending: asyncio.Task[Refused | None] | None = None
        self._free = False
        call.at_end.append(self._stop)

    async def cover(self, stream: Stream) -> Rejected | None:
        """Hold more before it is needed; what the stream is ended with where nobody pays on."""
        if self._free or self._covered >= self._plan.most or not stream.delivered:
            return None
        ahead = self._plan.slice // 2
        # The bound may be above what the answer can have at all; that is what can be held.
        delivered = min(self._meter.bound(stream, self._covered - ahead), self._plan.most)
        if delivered <= self._covered - ahead:
            return None
        if self._extending is None:
            self._extending = asyncio.create_task(self._extend(delivered))
        try:
            return await self._covering(stream, delivered)
        except Rejected as ended:
            # A wait that was ended from outside: what has been delivered is paid for.
            return ended

    async def _covering(self, stream: Stream, delivered: int) -> Rejected | None:
        while delivered > self._covered:
            refusal = await self._extended(delivered)
            if refusal is None:
                continue
            if not (isinstance(refusal, InsufficientFunds) and self._meter.tighten(stream)):
                return await self._without(refusal)
            delivered = min(self._meter.bound(stream, self._covered), self._plan.most)
        if self._extending is not None and self._extending.done() and not self._failed():
            self._extending = None
        return None

    def _failed(self) -> bool:
        assert self._extending is not None
        return self._extending.result() is not None

    async def _extended(self, delivered: int) -> Refused | None:
        """Wait for the extension that is under way, then look for money elsewhere."""
        if self._extending is None:
            self._extending = asyncio.create_task(self._extend(delivered))
        await asyncio.wait((self._extending,))
        refusal, self._extending = self._extending.result(), None
        if isinstance(refusal, InsufficientFunds) and delivered > self._covered:
            refusal = await self._extend_to_the_last(delivered, refusal)
        if isinstance(refusal, InsufficientFunds):
            return await self._move(delivered, refusal)
        return refusal

    async def _extend(self, delivered: int) -> Refused | None:
        """One part more on the wallet that pays: as much as would be best, else a slice, for which
        it waits where the settings let it.
        """
        best = self._plan.after(self._covered, delivered)
        least = min(best, max(self._covered, delivered) + self._plan.slice)
        refusal = await self._extend_to(best, waits=best == least)
        if isinstance(refusal, InsufficientFunds) and least < best:
            return await self._extend_to(least, waits=True)
        return refusal

    async def _extend_to_the_last(self, delivered: int, refusal: Refused) -> Refused | None:
        """All that is left of the wallet, less than a slice: it may just do for what has come."""
        left = refusal.details["balances"].get(self._call.paying, 0)
        tokens = min(
            self._plan.covered_by(self._call.held + max(0, left)), delivered + self._plan.slice
        )
        if tokens > delivered and await self._extend_to(tokens, waits=False) is None:
            return None
        return await self._extend_to(delivered, waits=False)

    async def _extend_to(self, tokens: int, *, waits: bool) -> Refused | None:
        call = self._call
        amount = self._plan.hold(tokens) - call.held
        if amount <= 0:
            self._covered = tokens
            return None
        if call.parts >= Entry.CLOSING:
            return InsufficientFunds("The hold has too many parts.", balances={})
        try:
            result = await self._asked(self._extension(amount, waits=waits))
        except (LedgerUnavailable, TimeoutError):
            return LedgerUnavailable("The wallets cannot be reached now.")
        if result.refusal is not None:
            return result.refusal
        call.parts += 1
        call.held_by(result)
        self._grown(tokens)
        return None

    def _extension(self, amount: int, *, waits: bool) -> Extend:
        waits = waits and self._call.caller.settings.contention_wait > 0 and not self._room.full
        waiting = Waiting(reasons=frozenset({"contention"})) if waits else None
        return admission.extend(self._call, amount, waiting=waiting)

    async def _asked(self, operation: Extend) -> Result:
        """The ledger's answer; while it is away, asked again for as long as one waits."""
        until = time.monotonic() + self._call.caller.settings.contention_wait
        while True:
            try:
                result = await self._room.ask(operation)
                if result.waits:
                    return await self._wait(operation, result, until)
                if not isinstance(result.refusal, LedgerUnavailable):
                    return result
            except LedgerUnavailable:
                pass
            if time.monotonic() >= until:
                raise LedgerUnavailable("The wallets cannot be reached now.")
            await asyncio.sleep(RETRY_SECONDS)

    async def _wait(self, operation: Extend, result: Result, until: float) -> Result:
        assert result.wallet_id is not None
        place = Place(
            operation=operation,
            wallets=(result.wallet_id,),
            until=until,
            details=self._call.event.details,
        )
        return await self._room.outcome(place, result)

    async def _move(self, delivered: int, refusal: Refused) -> Refused | None:
        """The whole hold to the next wallet that may pay; None: it is there."""
        call = self._call
        tokens = self._plan.after(self._covered, delivered)
        to = self._elsewhere(self._plan.hold(tokens))
        if to is None:
            return refusal
        move = Move(id=call.reservation, organization_id=to.organization_id, actor=to.actor, to=to)
        result = await self._moved(move)
        if result.refusal is not None:
            return refusal
        before = call.snapshot.wallets.get(call.paying) if call.paying is not None else None
        call.moved_to(to.id, result.wallet_id)
        call.held_by(result)
        call.parts = 1
        call.event.details["moved_from"] = before.public_id if before else None
        self._grown(tokens)
        return None

    def _elsewhere(self, amount: int) -> Reserve | None:
        call = self._call
        found = admission.reserve(call, self._plan.admitted)
        paying = [c.wallet.id for c in found.candidates].index(call.paying or 0)
        rest = found.candidates[paying + 1 :]
        if not rest:
            return None
        return replace(found, id=ids.uuid7(), amount=amount, candidates=rest, attachment=None)

    async def _moved(self, move: Move) -> Result:
        """The answer is waited for even if the stream is cut meanwhile: it says which hold is to be
        settled. Where it takes too long, the settle follows the hold (``_follow``).
        """
        asked = self._call.settlement.post(move)
        try:
            await asyncio.wait((asked,), timeout=LEDGER_SECONDS)
        except asyncio.CancelledError:
            await asyncio.wait((asked,), timeout=LEDGER_SECONDS)
            if asked.done() and asked.exception() is None and asked.result().ok:
                self._call.moved_to(move.to.id, asked.result().wallet_id)
            raise
        finally:
            if not asked.done():
                asked.add_done_callback(lambda done: self._follow(move, done))
        if not asked.done() or asked.exception() is not None:
            return Result(refusal=LedgerUnavailable("The wallets cannot be reached now."))
        return asked.result()

    def _follow(self, move: Move, done: "asyncio.Future[Result]") -> None:
        """A move that came true after the stream was given up: what it owes is settled there."""
        if done.exception() is None and done.result().ok:
            self._call.settle_at(move.to.id)

    def _grown(self, tokens: int) -> None:
        call = self._call
        # A part that was asked for before may have been another amount than it is now.
        enough = call.held >= self._plan.hold(tokens)
        self._covered = tokens if enough else self._plan.covered_by(call.held)
        call.event.hold = call.held
        checkpoint = call.cost_of(
            Usage(prompt_tokens=self._meter.prompt_tokens, completion_tokens=self._meter.counted)
        )
        call.settlement.post(
            Heartbeat(
                id=call.reservation,
                organization_id=call.caller.organization_id,
                checkpoint=checkpoint,
            )
        )

    async def _without(self, refusal: Refused) -> Rejected | None:
        """Nobody pays on: finish all the same where the policy says so, else cut."""
        call = self._call
        if isinstance(refusal, InsufficientFunds):
            missing = self._plan.admitted.worst - call.held
            if await unpaid.may_finish(call, missing):
                self._free = True
                return None
        call.most = call.held
        if isinstance(refusal, InsufficientFunds):
            refusal.details["ticket"] = await self._ticket(call, refusal)
        return cut(call, refusal)

    def _stop(self, _: Call) -> None:
        if self._extending is not None:
            self._extending.cancel()


def cut(call: Call, refusal: Refused) -> Rejected:
    """How the client of a stream is told that it ends here, and what it has paid."""
    told = refusals.of(call, refusal, None)
    usage, _ = call.usage_of(
        call.stream.usage if call.stream else None, call.stream.text if call.stream else str
    )
    charged = min(call.cost_of(usage), call.held)
    balance = refusal.details.get("balances", {}).get(call.paying)
    message = f"{told.message}: the answer ends here; {money.token(charged)} USD were charged."
    details = {**(told.details or {}), "charged": refusals.dollars(charged)}
    if balance is not None:
        paying = call.snapshot.wallets[call.paying or 0]
        after = balance + call.held - charged
        details |= {
            "wallet": paying.public_id, "scope": paying.scope, "balance": refusals.dollars(after),
        }  # fmt: skip
    return Blocked(told.status, message, code=told.code, details=details)
