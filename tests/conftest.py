"""Fixtures every test may use."""

import os
from collections.abc import Iterator

import pytest
from django.db import connection
from hypothesis import settings

from tests.plugins.keeper import KeptServer

# Machines that run several things at once are slow now and then; that is no failure.
settings.register_profile("keeptrusts", deadline=None, print_blob=True)
# `make soak` asks for it: tests that can go on for longer do.
settings.register_profile("soak", settings.get_profile("keeptrusts"))
settings.load_profile("keeptrusts")


@pytest.fixture(autouse=True)
def _guards_let_the_flush_pass(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests that really commit are flushed away, which the append-only triggers would refuse.

    Dropped here, after the test and before the flush; the flush ends with `post_migrate`, which
    installs them again.
    """
    yield
    marker = request.node.get_closest_marker("django_db")
    commits = marker is not None and marker.kwargs.get("transaction", False)
    if commits or {"transactional_db", "live_server"} & set(request.fixturenames):
        from wallets import triggers

        with connection.cursor() as cursor:
            for name, statement in triggers.expected(connection).items():
                table = statement.split(" ON ")[1].split()[0]
                on = f" ON {table}" if connection.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis: the caller's REDIS_URL, else an embedded server of this process.

    The caller's may hold other data: use keys and queues of your own, never flush.
    """
    given = os.environ.get("KEEPTRUSTS_TEST_REDIS_URL")
    if given:
        yield given
        return
    with KeptServer("redis") as server:
        yield server.url
