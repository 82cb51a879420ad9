"""Budget alerts that notify: crossings are looked for beside the requests, never in their way.

Every few seconds the teams with traffic are looked at, every few minutes all of them, and all of
them at the start: so that a crossing is found although its gateway died, and a level is armed again
although nobody spends. ``wallets.crossings`` writes each crossing once, whatever the number of
processes; alerts are made of what it wrote.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

from django.db import Error, connections

from gateway.policy import PolicyFile
from gateway.snapshot import Snapshot
from wallets import crossings
from wallets.models import Organization, Team

log = logging.getLogger(__name__)

LOOK_SECONDS = 3.0
ALL_SECONDS = 300.0
TRAFFIC_SECONDS = 600.0
"""How long after a request its team counts as one with traffic: longer than requests last."""


class BudgetWatch:
    """Looks for crossings of one process's organisation. Belongs to the event loop's thread."""

    def __init__(self, current: Callable[[], Snapshot | None]) -> None:
        self._current = current
        self._seen: dict[int, float] = {}
        self._all_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    def start(self) -> None:
        """Begin to look; call it from the running event loop."""
        self._task = asyncio.create_task(self._watch())

    def seen(self, team_id: int) -> None:
        """The team spends: it is looked at from now on. Costs next to nothing."""
        self._seen[team_id] = time.monotonic()

    async def close(self) -> None:
        """Stop looking, once what is under way is finished."""
        self._ended.set()
        if self._task is not None:
            await self._task

    async def _watch(self) -> None:
        while not self._ended.is_set():
            await self.look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), LOOK_SECONDS)

    async def look(self) -> None:
        """One round: the teams with traffic, or all where that is due."""
        snapshot, now = self._current(), time.monotonic()
        levels = levels_of(snapshot.policy) if snapshot is not None else ()
        if snapshot is None or not levels:
            return
        self._seen = {pk: at for pk, at in self._seen.items() if now - at < TRAFFIC_SECONDS}
        everybody = not self._all_at or now - self._all_at > ALL_SECONDS
        if not everybody and not self._seen:
            return
        teams = None if everybody else frozenset(self._seen)
        done = await asyncio.to_thread(_look, snapshot.organization.id, teams, levels)
        if done and everybody:
            self._all_at = now


def levels_of(policy: PolicyFile) -> tuple[str, ...]:
    """The percentages at which somebody is notified: ``50``, ``12.5``."""
    cost = policy.document.cost_tracking
    alerts = cost.budget_alerts if cost.enabled else []
    found = [alert.threshold_percent for alert in alerts if alert.action == "notify"]
    return tuple(f"{Decimal(str(percent)).normalize():f}" for percent in found)


def _look(organization_id: int, teams: frozenset[int] | None, levels: tuple[str, ...]) -> bool:
    """In a thread: whether it could be done."""
    try:
        organization = Organization.objects.get(pk=organization_id)
        rows = Team.objects.for_organization(organization)
        if teams is not None:
            rows = rows.filter(pk__in=teams)
        for crossing in crossings.look_at_budgets(organization, rows, levels):
            log.warning(
                "budget of %s: %s%% of it is used", crossing.team, crossing.level,
                extra={"team": crossing.team_id, "crossing": crossing.seq},
            )  # fmt: skip
        return True
    except (Error, Organization.DoesNotExist) as error:
        log.warning("budgets cannot be looked at: %s", type(error).__name__)
        return False
    except Exception:
        log.exception("budgets could not be looked at")
        return False
    finally:
        connections.close_all()
