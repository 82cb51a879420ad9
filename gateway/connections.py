"""Database connections of the gateway's own threads: unpooled, with short timeouts."""

from collections.abc import Mapping
from copy import deepcopy

from django.db import Error, connections

ALIAS = "default"
NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
}
"""A database that vanished without a word is noticed within seconds, not within hours."""
LEDGER: Mapping[str, str | int] = {
    "lock_timeout": 500,
    "statement_timeout": 10_000,
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""The ledger thread: statements are planned once, and look up by key even if they were planned
while the tables were empty."""


def take(options: Mapping[str, str | int]) -> None:
    """Give the calling thread a connection of its own, with these server settings on PostgreSQL.

    They travel with the connection's start, so that a reconnect has them too.
    """
    shared = connections[ALIAS]
    shared.close()
    settings = deepcopy(shared.settings_dict)
    if shared.vendor == "postgresql":
        given = settings["OPTIONS"]
        given.pop("pool", None)
        words = [given.get("options", ""), *(f"-c {name}={options[name]}" for name in options)]
        given["options"] = " ".join(words).strip()
        for name, value in NETWORK.items():
            given.setdefault(name, value)
    connections[ALIAS] = type(shared)(settings, ALIAS)


def drop() -> None:
    """Close the calling thread's connection; the next statement opens a new one."""
    connections[ALIAS].close()


def close_pool() -> None:
    """End the threads of the process's connection pool, where it has one."""
    shared = connections[ALIAS]
    if shared.vendor == "postgresql" and shared.settings_dict["OPTIONS"].get("pool"):
        shared.close_pool()  # type: ignore[attr-defined]


def reachable() -> bool:
    """Whether the calling thread can read from the database now."""
    try:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        drop()
        return False
    return True
