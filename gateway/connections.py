"""Database connections of the gateway's own threads: unpooled, with short timeouts."""

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


def take(*, lock_timeout_ms: int, statement_timeout_ms: int) -> None:
    """Give the calling thread a connection of its own, with these timeouts on PostgreSQL.

    The timeouts travel with the connection's start, so that a reconnect has them too.
    """
    shared = connections[ALIAS]
    shared.close()
    settings = deepcopy(shared.settings_dict)
    if shared.vendor == "postgresql":
        options = settings["OPTIONS"]
        options.pop("pool", None)
        options["options"] = (
            f"{options.get('options', '')} -c lock_timeout={lock_timeout_ms} "
            f"-c statement_timeout={statement_timeout_ms}"
        ).strip()
        for name, value in NETWORK.items():
            options.setdefault(name, value)
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
