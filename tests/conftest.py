"""Fixtures every test may use."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.plugins.keeper import KeptServer

# Machines that run several things at once are slow now and then; that is no failure.
settings.register_profile("keeptrusts", deadline=None, print_blob=True)
settings.load_profile("keeptrusts")


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
