"""A place in the waiting room: one hold or extension that is asked for again and again."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from wallets.ledger import Extend, Reserve, Result

Turn = tuple[bool, int]


@dataclass(slots=True, eq=False, kw_only=True)
class Place:
    """Who waits, until when (``time.monotonic``), and for which wallets, the nearest first.

    ``details`` (of its event) get to know how long it has waited: before the ledger is asked, which
    may write them. ``told`` hears of every answer that says: wait on. ``asking``: the ledger is
    about to answer, so what it waits for is as good as taken.
    """

    operation: Reserve | Extend
    wallets: tuple[int, ...]
    until: float
    details: dict[str, Any] = field(default_factory=dict)
    told: Callable[[Result], None] | None = None
    began: float = field(default_factory=time.monotonic)
    line: int = 0
    contended: bool = False
    asking: bool = True
    asked_at: float = 0.0
    error: Exception | None = None
    _called: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def id(self) -> UUID:
        """The reservation's."""
        return self.operation.id

    @property
    def amount(self) -> int:
        """Nano-dollars."""
        return self.operation.amount

    @property
    def turn(self) -> Turn:
        """Extensions of running streams first, then in the order of the ids, as in the ledger."""
        return (isinstance(self.operation, Reserve), self.id.int)

    def answered(self, result: Result) -> None:
        """The ledger has answered, by wait on: sleep until called."""
        self.asking = False
        self.asked_at = time.monotonic()
        self.line, self.contended = result.wallet_id or 0, result.reason == "contention"
        if self.told is not None:
            self.told(result)

    def call(self) -> None:
        """It may be this one's turn: ask the ledger."""
        self.asking = True
        self._called.set()

    def end(self, error: Exception) -> None:
        """Wait no longer: whoever waits here gets ``error``."""
        self.error = self.error or error
        self.call()

    async def called(self) -> bool:
        """Wait to be called; False when the time is over. Raises what it was ended with."""
        try:
            async with asyncio.timeout(max(0.0, self.until - time.monotonic())):
                await self._called.wait()
        except TimeoutError:
            return False
        finally:
            self.asking = True
            self._called.clear()
            self.details["waited_ms"] = int((time.monotonic() - self.began) * 1000)
        if self.error is not None:
            raise self.error
        return True
