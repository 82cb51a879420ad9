"""`kt cache purge`."""

from tests.kt.conftest import Kt
from tests.kt.fake_api import FakeApi

ANSWER = '{"organization_id": "org_a", "generation": 3, "purged_at": "2026-04-01T00:00:00Z"}'


def test_purge_says_whose_cache_it_purged(kt: Kt, api: FakeApi) -> None:
    api.on("POST", "/v1/cache/purge", ANSWER)
    outcome = kt("cache", "purge")
    assert (outcome.code, outcome.out) == (
        0,
        "Purged the response cache of org_a (generation 3)\n",
    )
