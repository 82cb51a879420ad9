"""Many threads that start at once, each with a connection of its own; and a witness beside them."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, transaction

T = TypeVar("T")
THREADS = 16


def race(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Answers of all calls, made at the same time; the first error of any is raised."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=60)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(timeout=120) for future in [pool.submit(run, c) for c in calls]]


class Witness:
    """Reads the books again and again, each time as of one instant, until the block ends."""

    def __init__(self, broken: Callable[[], list[str]]) -> None:
        self.looks = 0
        self.problems: list[str] = []
        self._broken = broken
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        try:
            while not self._over.is_set():
                self.problems += self._look()
                self.looks += 1
        finally:
            connection.close()

    def _look(self) -> list[str]:
        if connection.vendor == "postgresql":
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                return self._broken()
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                return self._broken()
            finally:
                cursor.execute("COMMIT")

    def __enter__(self) -> "Witness":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join(60)
