"""What is delivered though no wallet pays for it: written off, up to a cap per team and day."""

import asyncio
import logging
from datetime import date

from django.db import Error, connections, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from gateway.models import WrittenOff

log = logging.getLogger(__name__)


class Allowance:
    """The room left of one team on one day. Exact, however many processes take from it."""

    def __init__(self, *, organization_id: int, team_id: int, on: date, cap: int) -> None:
        self._key = {"organization_id": organization_id, "team_id": team_id, "on": on}
        self._cap = cap
        self._tasks: set[asyncio.Task[None]] = set()
        self.taken = 0

    async def take(self, amount: int) -> bool:
        """Set ``amount`` nano-dollars aside; False where that is above the cap."""
        if amount <= 0:
            return True
        if amount > self._cap:
            return False
        done = await asyncio.to_thread(_take, self._key, amount, self._cap)
        self.taken += amount if done else 0
        return done

    def used(self, amount: int) -> None:
        """So much was written off in the end: the rest of what was set aside goes back."""
        rest, self.taken = self.taken - amount, 0
        if rest > 0:
            asyncio.get_running_loop().run_in_executor(None, _give_back, self._key, rest)


def _take(key: dict[str, object], amount: int, cap: int) -> bool:
    try:
        with transaction.atomic():
            WrittenOff.objects.bulk_create([WrittenOff(**key)], ignore_conflicts=True)
            room = WrittenOff.objects.filter(**key, amount__lte=cap - amount)
            return room.update(amount=F("amount") + amount) == 1
    except Error as error:
        log.warning("nothing can be written off now: %s", type(error).__name__)
        return False
    finally:
        connections.close_all()


def _give_back(key: dict[str, object], amount: int) -> None:
    try:
        WrittenOff.objects.filter(**key).update(amount=Greatest(F("amount") - amount, 0))
    except Error as error:
        log.warning("room to write off stays taken until tomorrow: %s", type(error).__name__)
    finally:
        connections.close_all()
