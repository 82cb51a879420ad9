"""Keeps the snapshot fresh: a thread that polls once a second, beside the event loop.

A change of the database or of the policy file is in force within two seconds. When something cannot
be read, the last snapshot stays.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from django.db import Error

from gateway import connections
from gateway.policy import PolicyError, PolicyFile, Problem, Severity, load
from gateway.pricing import catalogue
from gateway.snapshot import load as reading
from gateway.snapshot import loads
from gateway.snapshot.snapshot import Snapshot, UnusablePolicy
from wallets.models import GatewayKey

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
LAST_USED_SECONDS = 60.0
RELOAD_SECONDS = 60.0
"""Even without a change, so that a missed one mends itself."""

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Broken:
    """A policy file on disk that cannot be used: since when, and what is wrong with it.

    ``reason`` says it where no place in the file is to blame.
    """

    since: datetime
    problems: tuple[Problem, ...] = ()
    reason: str = ""


class Watcher:
    """Owns the snapshot of a process. ``current`` is replaced whole, never changed.

    ``loaded_at``: since when its policy file is in force; ``broken``: the file on disk that is not.
    """

    def __init__(self, policy_path: Path, *, on_change: Callable[[Snapshot], None] | None = None):
        self.current: Snapshot | None = None
        self.reachable = False
        self._path = policy_path
        self._on_change = on_change
        self._stamp: Stamp = None
        self._used: dict[int, datetime] = {}
        self._loaded_at = self._used_at = 0.0
        self._first: Future[None] = Future()
        self._wake = threading.Event()
        self._ended = False
        self._policy_due = False
        self.loaded_at: datetime | None = None
        self.broken: Broken | None = None
        self._thread = threading.Thread(target=self._run, name="snapshot", daemon=True)

    # The event loop's side

    async def start(self) -> None:
        """Load the first snapshot; raises PolicyError, UnusablePolicy or a database error."""
        self._thread.start()
        await asyncio.wrap_future(self._first)

    async def close(self) -> None:
        """End the thread."""
        self._ended = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join, 10)

    def reload_policy(self) -> None:
        """Read the policy file again at once, changed or not."""
        self._policy_due = True
        self._wake.set()

    def used(self, key_id: int, at: datetime) -> None:
        """Remember that a key was used; written once a minute."""
        self._used[key_id] = at

    # The thread's side

    def _run(self) -> None:
        connections.take({"lock_timeout": 2_000, "statement_timeout": 20_000})
        try:
            self._begin()
        except BaseException as error:
            self._first.set_exception(error)
            return
        finally:
            if self.current is None:
                connections.drop()
        self._first.set_result(None)
        while not self._ended:
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            self._poll()
        self._write_used()
        connections.drop()

    def _begin(self) -> None:
        catalogue.warm()
        self._stamp = self._stamp_now()
        self._swap(reading.snapshot(load(self._path, os.environ)))
        self.reachable = True

    def _poll(self) -> None:
        try:
            self._look()
            self.reachable = True
        except Error as error:
            if self.reachable:
                log.error("the database cannot be read: %s", type(error).__name__)
            self.reachable = False
            connections.drop()
        except Exception:
            log.exception("the snapshot could not be refreshed; the last one stays")

    def _look(self) -> None:
        assert self.current is not None
        policy = self._changed_policy()
        if policy is None and not self._moved():
            owes = reading.in_debt(self.current.organization.id)
            if owes != self.current.in_debt:
                self._swap(replace(self.current, in_debt=owes))
        else:
            self._reload(policy)
        if time.monotonic() - self._used_at > LAST_USED_SECONDS:
            self._write_used()

    def _moved(self) -> bool:
        assert self.current is not None
        old = time.monotonic() - self._loaded_at > RELOAD_SECONDS
        return old or reading.revision() != self.current.revision

    def _reload(self, fresh: PolicyFile | None) -> None:
        """Read the database again, seen through a ``fresh`` policy file where there is one."""
        assert self.current is not None
        try:
            self._swap(reading.snapshot(fresh or self.current.policy))
        except UnusablePolicy as error:
            log.error("the policy file cannot be used, the last one stays: %s", error)
            self._note_broken(reason=str(error))
            self._swap(reading.snapshot(self.current.policy))
        else:
            self._note_repair(fresh)

    def _note_broken(self, *, problems: tuple[Problem, ...] = (), reason: str = "") -> None:
        """Replaced whole, as it is read by the event loop's thread."""
        since = self.broken.since if self.broken is not None else datetime.now(UTC)
        self.broken = Broken(since, problems, reason)

    def _note_repair(self, fresh: PolicyFile | None) -> None:
        if fresh is not None and self.broken is not None:
            self.broken = None
            log.info("the policy file can be used again: version %s", fresh.config_version)

    def _swap(self, snapshot: Snapshot) -> None:
        before = self.current
        if before is None or before.policy != snapshot.policy:
            self.loaded_at = datetime.now(UTC)
        self.current = snapshot
        self._loaded_at = time.monotonic()
        if before is None or before.policy != snapshot.policy:
            loads.record(snapshot.policy, snapshot.organization.id)
        if before is not None and before.policy != snapshot.policy:
            log.info("policy file in force: version %s", snapshot.policy.config_version)
        if self._on_change is not None:
            self._on_change(snapshot)

    def _changed_policy(self) -> PolicyFile | None:
        """The policy file where it is new and usable; a broken one says why and is left alone."""
        stamp = self._stamp_now()
        if stamp == self._stamp and not self._policy_due:
            return None
        self._stamp, self._policy_due = stamp, False
        try:
            return load(self._path, os.environ)
        except PolicyError as error:
            problems = tuple(p for p in error.problems if p.severity is Severity.ERROR)
            self._note_broken(problems=problems)
            log.error("the policy file cannot be used, the last one stays")
            for problem in problems:
                log.error("%s", problem)
            return None

    def _stamp_now(self) -> Stamp:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _write_used(self) -> None:
        """One statement per minute for all keys that were used."""
        self._used_at = time.monotonic()
        used, self._used = self._used, {}
        if used:
            # A minute's precision is what a "last used" column needs.
            GatewayKey.objects.filter(pk__in=list(used)).update(last_used_at=datetime.now(UTC))
