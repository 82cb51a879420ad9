"""One request on its way: what is known of it so far, its hold and its event."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from gateway.events import Event
from gateway.metrics import Stopwatch
from gateway.policy import Target
from gateway.pricing import Usage, cost_nanos, lines
from gateway.pricing.usage import CLAMPED, Reading
from gateway.proxy import hidden
from gateway.proxy.errors import Rejected
from gateway.proxy.http import Exchange, Header
from gateway.proxy.parts import DISCONNECTED as DISCONNECTED
from gateway.proxy.parts import Admission as Admission
from gateway.proxy.parts import Found as Found
from gateway.proxy.parts import Recorder, Slices
from gateway.proxy.recording import Recorded
from gateway.proxy.route import Request, Route, Stream
from gateway.settlement import Settlement
from gateway.snapshot import Caller, Snapshot, StopCard
from keeptrusts.lib import ids, money
from wallets.ledger import Heartbeat, Note, Refund, Result, Settle

HEARTBEAT_SECONDS = 30.0
MAX_RECORDED = 16 * 1024 * 1024
"""Bytes of a stream that are kept in memory for a record; of a longer one there is none."""
CLIENT_CLOSED = 499
UNKNOWN_ERROR = "internal_error"
WARNED = "warned"
"""Flags what goes out though no wallet pays for all of it."""

# What a provider may report above the bounds of a request before it is taken for a mistake. Servers
# count a few tokens that nobody asked for (ends of turns, templates); more than this none does.
COMPLETION_SLACK, COMPLETION_SLACK_SHARE = 64, 8
"""Tokens per choice, and one in this many of the bound on top."""
PROMPT_SLACK = 2
"""Times the bound by bytes: no tokenizer makes more tokens of a text than it has bytes."""


class Call:
    """State of one request. The hold is closed, and the event handed over, exactly once.

    ``held`` nano-dollars are held on the wallet ``paying``, ``parts`` is the number of the next
    extension. ``extra`` are headers that stages add to the answer, ``at_end`` whom they want to be
    told of its end, ``at_found`` of an answer that is there already, ``at_wait`` of its wait for
    money.
    ``waiting`` is there while the request waits for money: it ends that with a refusal. No more
    than ``most`` nano-dollars are charged: of a stream that was cut because nobody paid on.
    """

    __slots__ = (
        "_closed", "_held", "_recorders", "_recording", "_recording_size", "admission", "at_end",
        "at_found", "at_wait",
        "beaten_at", "body", "caller", "event", "exchange", "extra", "gone", "held", "now",
        "on_stall", "parts", "paying", "request", "reservation", "route", "settlement", "slices",
        "snapshot", "sent", "stop_card",
        "stopping", "stream", "streamed", "targets", "task", "watch", "waiting", "most",
    )  # fmt: skip

    def __init__(
        self,
        exchange: Exchange,
        route: Route,
        snapshot: Snapshot,
        caller: Caller,
        body: bytes,
        settlement: Settlement,
    ) -> None:
        self.exchange = exchange
        self.route = route
        self.snapshot = snapshot
        self.caller = caller
        self.body = body
        self.settlement = settlement
        self.now = datetime.now(UTC)
        self.request: Request = {}
        self.reservation: UUID = ids.uuid7()
        self.targets: list[Target] = []
        self.admission: Admission | None = None
        self.paying: int | None = None
        self.held = 0
        self.parts = 1
        self.most: int | None = None
        self.slices: Slices | None = None
        self.extra: list[Header] = []
        self.at_end: list[Callable[[Call], None]] = []
        self.at_found: list[Callable[[Call, Found], None]] = []
        self.at_wait: list[Callable[[Call], None]] = []
        self._recorders: list[Recorder] = []
        self._recording: list[bytes] = []
        self._recording_size = 0
        self.stream: Stream | None = None
        self.streamed = False
        self.gone = False
        self.sent = False
        self.stopping = ""
        self.stop_card: StopCard | None = None
        self.task: asyncio.Task[None] | None = None
        self.waiting: Callable[[Rejected], None] | None = None
        self.on_stall: Callable[[Call], None] | None = None
        self.watch = Stopwatch()
        self.beaten_at = self.watch.begun
        self._held = False
        self._closed = False
        self.event = self._new_event()
        exchange.request_id = self.event.id

    def _new_event(self) -> Event:
        caller = self.caller
        return Event(
            id=f"req_{ids.base32(self.reservation)}",
            organization_id=caller.organization_id,
            route=self.route.path,
            verdict="error",
            status=500,
            created_at=self.now,
            team_id=caller.team.id,
            user_id=caller.user_id,
            consumer_group_id=caller.group_id,
            consumer_group_name=caller.group_name,
            key_id=caller.key_id,
            config_version=self.snapshot.policy.config_version,
        )

    @property
    def id(self) -> str:
        """The request id, which is the event's id too."""
        return self.event.id

    @property
    def closed(self) -> bool:
        """Whether the event is on its way and no hold is left."""
        return self._closed

    @property
    def stops_on_disconnect(self) -> bool:
        """Whether the target's answers end with their client; no bill is left unread for that."""
        stops = self.admission is not None and self.admission.target.on_disconnect == "stop"
        return stops and not hidden.runs(self)

    @property
    def holds(self) -> bool:
        """Whether a hold may be open for it."""
        return self._held and not self._closed

    def holding(self) -> None:
        """From now on a hold may exist, whatever becomes of the reserve."""
        self._held = True
        self.event.reservation = self.reservation

    def held_by(self, result: Result) -> None:
        """The ledger holds so much now."""
        self.paying, self.held = result.wallet_id, result.amount

    def not_held(self) -> None:
        """The ledger refused the hold, and no event was written."""
        self._held = False
        self.event.reservation = None

    def begin_anew(self) -> None:
        """A target gave nothing; what came of it is forgotten before the next one is asked."""
        self.stream = None
        self.sent = False
        self._recording.clear()
        self._recording_size = 0

    def went_out(self) -> None:
        """The provider has the request, and may want to be paid for it."""
        self.sent = True
        self.watch.went_out()

    def moved_to(self, reservation: UUID, wallet_id: int | None) -> None:
        """Another hold pays from now on."""
        self.reservation = self.event.reservation = reservation
        self.paying = wallet_id

    def refused(self, status: int, reason: str) -> None:
        """The ledger refused the hold and wrote the event, which says so from now on."""
        event = self.event
        event.verdict, event.status, event.reason_code = "block", status, reason
        self._held = False
        self._closed = True

    def elapsed_ms(self) -> int:
        """Milliseconds since the request was read."""
        return int((time.monotonic() - self.watch.begun) * 1000)

    # What is kept of the answer

    def record_for(self, recorder: Recorder) -> None:
        """Keep the answer for ``recorder``."""
        self._recorders.append(recorder)

    def keep(self, block: bytes) -> None:
        """Events of the provider, as they came, where anybody keeps them."""
        if self._recorders and self._recording_size <= MAX_RECORDED:
            self._recording.append(block)
            self._recording_size += len(block)

    def recorded(self, body: bytes | None = None) -> Recorded | None:
        """The answer for those who keep it, told that the settle comes next; None for nobody.

        ``body``: of a plain answer; a stream's is what was kept. Call it after ``event`` has its
        cost, before the operation is posted.
        """
        if not self._recorders or self._recording_size > MAX_RECORDED:
            return None
        event = self.event
        found = Recorded(
            streamed=body is None,
            body=b"".join(self._recording) if body is None else body,
            usage=dict(event.usage),
            flags=tuple(event.flags),
            cost=event.cost or 0,
            model=event.model,
            price_version=event.price_version,
        )
        for recorder in self._recorders:
            recorder.settling(self, found)
        return found

    def keep_record(self, recorded: Recorded | None) -> None:
        """The answer is paid for: hand it to those who keep it."""
        if recorded is not None:
            recorders, self._recorders = self._recorders, []
            for recorder in recorders:
                recorder.settled(self, recorded)

    def ended(self) -> None:
        """Nothing more will happen: whoever waits for a record gets none, stages are told."""
        recorders, self._recorders = self._recorders, []
        for recorder in recorders:
            recorder.dropped(self)
        for tell in self.at_end:
            tell(self)

    # The end: one operation that closes the hold and carries the event

    def charge(
        self, usage: Usage, flags: frozenset[str], *, verdict: str = "allow", reason: str = "",
        status: int = 200, plain: bytes | None = None, keep: bool = False,
    ) -> tuple["asyncio.Future[Result]", Recorded | None]:  # fmt: skip
        """Settle to what ``usage`` costs; the record, where one is to be kept and anybody does."""
        event = self._ended(verdict, status, reason)
        event.prompt_tokens = usage.prompt_tokens
        event.completion_tokens = usage.completion_tokens
        event.usage = usage.by_class()
        event.flags = sorted({*event.flags, *flags})
        event.cost = self.cost_of(usage)
        if event.cost and self.admission is not None and self.admission.priced is not None:
            event.details["lines"] = lines.of(usage, self.admission.priced.rates)
        if self.most is not None and event.cost > self.most:
            event.details["not_charged"] = money.token(event.cost - self.most)
            event.cost = self.most
        recorded = self.recorded(plain) if keep else None
        if not self._held:
            event.written_off = event.cost if WARNED in event.flags else 0
            return self._post(Note(**self._common())), recorded
        settle = Settle(
            id=self.reservation, cost=event.cost, provider=event.provider, **self._common()
        )
        return self._post(settle), recorded

    def answer_from(self, found: "Found") -> "asyncio.Future[Result]":
        """The answer is there already: nobody pays for it, and the event says what it is."""
        event = self._ended("cached", 200, found.reason)
        event.cache = found.cache
        event.cost = event.hold = 0
        event.usage = found.recorded.usage
        event.prompt_tokens = event.usage.get("prompt_tokens", 0)
        event.completion_tokens = event.usage.get("completion_tokens", 0)
        event.estimated_avoided_cost = found.avoided_cost
        for tell in self.at_found:
            tell(self, found)
        return self._post(Note(**self._common()))

    def give_back(self, *, verdict: str, status: int, reason: str) -> "asyncio.Future[Result]":
        """Nothing was delivered: the hold returns whole."""
        event = self._ended(verdict, status, reason)
        event.cost = None if verdict == "block" else 0
        if verdict == "block":
            event.hold = 0
        if not self._held:
            return self._post(Note(**self._common()))
        return self._post(Refund(id=self.reservation, **self._common()))

    def settle_at(self, reservation: UUID) -> None:
        """The hold turned out to be another one, perhaps after the end."""
        if not self._closed:
            self.moved_to(reservation, None)
            return
        common = self._common() | {"attachment": None}
        self._post(Settle(id=reservation, cost=self.event.cost or 0, **common))

    def beat(self) -> None:
        """Prolong the hold of a long request; the checkpoint is what a sweep would charge."""
        self.beaten_at = time.monotonic()
        if self._held and not self._closed:
            stream = self.stream
            delivered = stream is not None and stream.delivered
            self.settlement.post(
                Heartbeat(
                    id=self.reservation,
                    organization_id=self.caller.organization_id,
                    checkpoint=self.cost_of(self.counted()[0]) if delivered else 0,
                )
            )

    def counted(self) -> tuple[Usage, frozenset[str]]:
        """Usage as counted here from what was delivered, flagged as an estimate."""
        return self.usage_of(None, self.stream.text if self.stream is not None else str)

    def usage_of(self, reported: Reading | None, text: Callable[[], str]) -> Reading:
        """The provider's usage, completed by counting ``text`` where it says nothing.

        Brought into the bounds of what was sent, and flagged, where it is far above them.
        """
        given, flags = reported or Usage.from_openai(None)
        model, usage = self.event.model, self._bounded(given)
        return usage.completed(
            flags if usage == given else flags | {CLAMPED},
            prompt=lambda: self.route.count_prompt(self.request, model),
            completion=lambda: hidden.completion_tokens(self, text()),
        )

    def _bounded(self, usage: Usage) -> Usage:
        if self.admission is None:
            return usage
        estimate = self.admission.estimate
        most = estimate.completion_tokens
        most += most // COMPLETION_SLACK_SHARE + COMPLETION_SLACK * estimate.choices
        prompt = usage.prompt_tokens
        if prompt > estimate.prompt_tokens:
            # Counted only now: the estimate may be an exact count, which is no bound for others.
            most_prompt = max(estimate.prompt_tokens, PROMPT_SLACK * self._prompt_bytes())
            prompt = min(prompt, most_prompt)
        return usage.at_most(prompt=prompt, completion=most)

    def _prompt_bytes(self) -> int:
        """The bound that holds for every tokenizer."""
        return self.route.price(
            self.request, self.event.model, default_max_output_tokens=1, official=False
        ).prompt_tokens

    def cost_of(self, usage: Usage) -> int:
        """Nano-dollars of ``usage`` at the price of the hold; 0 without a price."""
        priced = self.admission.priced if self.admission is not None else None
        return cost_nanos(usage, priced.rates) if priced is not None else 0

    def _ended(self, verdict: str, status: int, reason: str) -> Event:
        if self._closed:
            raise RuntimeError("the request has ended already")
        self._closed = True
        event = self.event
        if verdict == "error":
            reason = reason or UNKNOWN_ERROR
        event.verdict, event.status, event.reason_code = verdict, status, reason
        event.latency_ms = self.elapsed_ms()
        if self.gone:
            event.flags.append(DISCONNECTED)
            event.details["on_disconnect"] = "stop" if self.stops_on_disconnect else "drain"
        return event

    def _common(self) -> dict[str, Any]:
        return {
            "organization_id": self.caller.organization_id,
            "actor": self.caller.actor,
            "attachment": self.event,
        }

    def _post(self, operation: Note | Settle | Refund) -> "asyncio.Future[Result]":
        return self.settlement.post(operation)

    # The client's side

    def leave(self) -> None:
        """The client has left; it gives up its place where it waits for money."""
        self.gone = True
        if self.waiting is not None:
            self.waiting(Rejected(CLIENT_CLOSED, "The client has left.", code=DISCONNECTED))

    def stalled(self) -> None:
        """The client is there and takes nothing: it is treated as one that has left."""
        self.leave()
        if self.on_stall is not None:
            self.on_stall(self)

    def stop(self, reason: str, card: StopCard | None = None) -> None:
        """End the work upstream now, by a switch or not; what was counted is charged."""
        if self.task is not None and not self.stopping and not self._closed:
            self.stopping, self.stop_card = reason, card
            self.task.cancel()
