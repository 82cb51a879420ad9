"""What a gateway process counts and measures, for Prometheus.

Counted where it happens, in microseconds; gauges are read once a second. Several workers on one
port share a directory (``PROMETHEUS_MULTIPROC_DIR``, set by whoever starts them), so that any of
them answers for all.
"""

import os
import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SHARED_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_REGISTRY = CollectorRegistry()
_ADDED = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
_UPSTREAM = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_BATCH_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)

REQUESTS = Counter(
    "keeptrusts_requests",
    "Requests by how they ended; code is the reason, else the HTTP status.",
    ("route", "verdict", "code"),
    registry=_REGISTRY,
)
ADDED = Histogram(
    "keeptrusts_added_seconds",
    "Time in the gateway: everything but the provider and waiting for money.",
    ("route",),
    buckets=_ADDED,
    registry=_REGISTRY,
)
UPSTREAM = Histogram(
    "keeptrusts_upstream_seconds",
    "From a request on its way to a provider to the end of the answer.",
    ("target",),
    buckets=_UPSTREAM,
    registry=_REGISTRY,
)
FIRST_BYTE = Histogram(
    "keeptrusts_first_byte_seconds",
    "From a request's arrival to the provider's first byte.",
    ("route",),
    buckets=_UPSTREAM,
    registry=_REGISTRY,
)
CACHE = Counter(
    "keeptrusts_cache", "Lookups of the response cache.", ("result",), registry=_REGISTRY
)
COST = Counter("keeptrusts_cost_nanodollars", "Charged to wallets.", registry=_REGISTRY)
WRITTEN_OFF = Counter(
    "keeptrusts_written_off_nanodollars", "Spent upstream, paid by no wallet.", registry=_REGISTRY
)
BATCH_SIZE = Histogram(
    "keeptrusts_ledger_batch_size",
    "Ledger operations per transaction.",
    buckets=_BATCH,
    registry=_REGISTRY,
)
BATCH_SECONDS = Histogram(
    "keeptrusts_ledger_batch_seconds",
    "Time of a ledger transaction.",
    buckets=_BATCH_SECONDS,
    registry=_REGISTRY,
)
RETRIES = Counter(
    "keeptrusts_ledger_retries",
    "Operations kept for another attempt: the database was away or a wallet locked.",
    registry=_REGISTRY,
)
QUEUE = Gauge(
    "keeptrusts_ledger_queue",
    "Ledger operations handed over and not answered yet.",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
RUNNING = Gauge(
    "keeptrusts_requests_running",
    "Requests being served.",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
DRAINING = Gauge(
    "keeptrusts_streams_draining",
    "Streams read to their end after their client left.",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
OPEN_HOLDS = Gauge(
    "keeptrusts_open_holds",
    "Holds of running requests.",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
OLDEST_HOLD = Gauge(
    "keeptrusts_oldest_hold_seconds",
    "Age of the oldest hold of a running request.",
    registry=_REGISTRY,
    multiprocess_mode="livemax",
)
AVAILABLE = Gauge(
    "keeptrusts_target_available",
    "1 while a target is asked as usual, 0.5 while it is being tried again, 0 while it rests.",
    ("target",),
    registry=_REGISTRY,
    multiprocess_mode="livemin",
)
WAITING = Gauge(
    "keeptrusts_requests_waiting",
    "Requests that wait for money.",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
HISTORY_DROPPED = Counter(
    "keeptrusts_history_dropped",
    "Requests whose texts were to be kept and are not: the database was away, or too many waited.",
    registry=_REGISTRY,
)
READY = Gauge(
    "keeptrusts_ready",
    "1 while paid requests can be served.",
    registry=_REGISTRY,
    multiprocess_mode="livemin",
)


def exposition() -> bytes:
    """All metrics in Prometheus' text format, of every worker that shares this port."""
    if not os.environ.get(SHARED_VARIABLE):
        return generate_latest(_REGISTRY)
    shared = CollectorRegistry()
    MultiProcessCollector(shared)
    return generate_latest(shared)


class Stopwatch:
    """Where the time of one request went, in seconds of the monotonic clock."""

    __slots__ = ("begun", "sent", "upstream")

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.sent: float | None = None
        self.upstream = 0.0

    def went_out(self) -> None:
        """An attempt is on its way; the time of a failed one before it counts as upstream."""
        self.answered()
        self.sent = time.monotonic()

    def answered(self) -> None:
        """The provider has said all it says."""
        if self.sent is not None:
            self.upstream += time.monotonic() - self.sent
            self.sent = None

    def added(self, waited: float) -> float:
        """Seconds that are nobody else's; ``waited`` were spent waiting for money."""
        return max(0.0, time.monotonic() - self.begun - self.upstream - waited)
