"""What teams may spend this month and what they did: read in a thread, kept for seconds."""

import asyncio
import logging
import time
from dataclasses import dataclass

from django.db import Error, connections

from wallets import budgets
from wallets.models import Team

log = logging.getLogger(__name__)

KEPT_SECONDS = 5.0
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Spending:
    """One team this month, nano-dollars."""

    budget: int
    spent: int

    @property
    def used_percent(self) -> float | None:
        """Share of the budget that is spent; None without a budget."""
        return self.spent * 100 / self.budget if self.budget > 0 else None


class SpendingBook:
    """At most one read per team at a time, at most one every five seconds."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, Spending]] = {}
        self._reads: dict[int, asyncio.Task[Spending | None]] = {}

    async def of(self, team_id: int) -> Spending | None:
        """The team's month; None when the database does not say in time."""
        found = self._known.get(team_id)
        if found is not None and time.monotonic() - found[0] < KEPT_SECONDS:
            return found[1]
        read = self._reads.get(team_id)
        if read is None:
            read = self._reads[team_id] = asyncio.create_task(self._read(team_id))
        try:
            return await asyncio.wait_for(asyncio.shield(read), PATIENCE_SECONDS)
        except TimeoutError:
            return None

    async def _read(self, team_id: int) -> Spending | None:
        try:
            spending = await asyncio.to_thread(_spending, team_id)
            if spending is not None:
                self._known[team_id] = (time.monotonic(), spending)
            return spending
        finally:
            del self._reads[team_id]


def _spending(team_id: int) -> Spending | None:
    try:
        team = Team.objects.select_related("organization").get(pk=team_id)
        budget = budgets.of_team(team)
        return Spending(budget=budget.budget, spent=budget.spent)
    except (Error, Team.DoesNotExist) as error:
        log.warning("the budget of a team cannot be read: %s", type(error).__name__)
        return None
    finally:
        connections.close_all()
