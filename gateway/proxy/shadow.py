"""``wallet_enforcement: shadow``: nothing is held or refused, but what would have been is noted.

Judged by balances and limits as they stand, read in a thread for all requests that gathered. What
shadow requests cost is not taken from anything, so each is judged as if it were the only one.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import Error, connections

from gateway.proxy import admission
from gateway.proxy.call import Call
from gateway.proxy.errors import Blocked
from keeptrusts.lib import money
from wallets.ledger import CounterUse, Reserve
from wallets.models import LimitCounter, Wallet

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.5
SHADOW = "shadow"

Verdict = dict[str, object]
"""``code`` (and more) of the refusal; no code: it would have passed."""
UNKNOWN: Verdict = {"unknown": True}


class ShadowBook:
    """Judges requests in batches: one read of the wallets, one of the limits."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Reserve, asyncio.Future[Verdict]]] = []
        self._judging: asyncio.Task[None] | None = None

    async def judge(self, call: Call) -> None:
        """Note on the event what would have become of a request; it goes on whatever that is."""
        assert call.admission is not None
        call.event.flags.append(SHADOW)
        call.event.details[SHADOW] = await self._verdict(call)

    async def _verdict(self, call: Call) -> Verdict:
        assert call.admission is not None
        if call.admission.worst == 0:
            return {}
        if call.snapshot.in_debt:
            return _blocked("organization_in_debt")
        try:
            operation = replace(
                admission.reserve(call, call.admission), amount=call.admission.worst
            )
        except Blocked as blocked:
            return _blocked(blocked.code or "")
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, future))
        if self._judging is None:
            self._judging = asyncio.create_task(self._judge())
        try:
            return await asyncio.wait_for(future, PATIENCE_SECONDS)
        except TimeoutError:
            return dict(UNKNOWN)

    async def _judge(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                verdicts = await asyncio.to_thread(_verdicts, [asked for asked, _ in batch])
                for (_, future), verdict in zip(batch, verdicts, strict=True):
                    if not future.done():
                        future.set_result(verdict)
        finally:
            self._judging = None


@dataclass(frozen=True, slots=True)
class _Books:
    """Wallets and what counts towards limits, as they stand."""

    wallets: dict[int, Wallet]
    used: dict[str, int]

    @classmethod
    def read(cls, asked: Sequence[Reserve]) -> "_Books":
        candidates = [candidate for operation in asked for candidate in operation.candidates]
        keys = {use.key for operation in asked for use in operation.counters}
        keys |= {use.key for candidate in candidates for use in candidate.counters}
        wallets = Wallet.objects.in_bulk({candidate.wallet.id for candidate in candidates})
        counters = LimitCounter.objects.filter(key__in=keys) if keys else ()
        return cls(wallets, {row.key: row.held + row.spent for row in counters})

    def exceeded(self, uses: Sequence[CounterUse], amount: int) -> CounterUse | None:
        """The first limit the amount does not fit into."""
        return next((use for use in uses if self.used.get(use.key, 0) + amount > use.cap), None)

    def verdict(self, asked: Reserve) -> Verdict:
        """As the ledger would decide, alone."""
        limit = self.exceeded(asked.counters, asked.amount)
        if limit is not None:
            return _blocked(limit.code)
        for candidate in asked.candidates:
            wallet = self.wallets[candidate.wallet.id]
            if wallet.frozen:
                return _blocked("wallet_frozen", wallet=wallet.public_id)
            if self.exceeded(candidate.counters, asked.amount) is not None:
                break
            if wallet.available >= asked.amount:
                return {"hold": money.token(asked.amount), "wallet": wallet.public_id}
        own = self.wallets[asked.candidates[0].wallet.id]
        missing = asked.amount - own.available
        return _blocked("insufficient_balance", wallet=own.public_id, missing=money.token(missing))


def _blocked(code: str, **more: object) -> Verdict:
    return {"code": code, **more}


def _verdicts(asked: Sequence[Reserve]) -> list[Verdict]:
    try:
        books = _Books.read(asked)
        return [books.verdict(operation) for operation in asked]
    except Error as error:
        log.warning("nobody knows what would be refused: %s", type(error).__name__)
        return [dict(UNKNOWN) for _ in asked]
    finally:
        connections.close_all()
