"""What is never kept, and who never sees what is."""

from typing import Any

import pytest

from tests import factories
from tests.gateway.cache.conftest import Serve
from tests.gateway.cache.test_hits import stored
from tests.gateway.conftest import World
from tests.gateway.serving import RunningGateway, chat, eventually

pytestmark = pytest.mark.django_db(transaction=True)


def twice(gateway: RunningGateway, world: World, **fields: Any) -> list[str]:
    """What the cache did with a request and its repetition, once the first one is over."""
    found = []
    for _ in range(2):
        found.append(gateway.chat(world.key, **fields).headers["x-keeptrusts-cache"])
        over(gateway)
    return found


def over(gateway: RunningGateway) -> None:
    """Wait until nothing is under way and nothing is being kept."""
    flights = gateway.application.stages[-1]._flights  # type: ignore[attr-defined]
    eventually(
        lambda: not len(gateway.application.running) and not len(flights) and not flights._work,
        what="nothing under way",
    )


@pytest.mark.parametrize(
    "behaviour",
    [
        {"status": 500, "error": {"error": {"message": "broken"}}},
        {"status": 429, "error": {"error": {"message": "slow down"}}},
        {"raw": b"no json"},
        {"raw": b'{"error": {"message": "broken"}}'},
        {"raw": b"{}"},
        {"cut_after": 0},
        {"usage": {"prompt_tokens": -1, "completion_tokens": 25}},
        {"raw": b'{"choices":[{"message":{"content":"no"},"finish_reason":"content_filter"}],'
                b'"usage":{"prompt_tokens":14,"completion_tokens":25}}'},
        {"raw": b'{"choices":[{"message":{"content":null,"refusal":"No."}}],'
                b'"usage":{"prompt_tokens":14,"completion_tokens":25}}'},
    ],
    ids=["500", "429", "garbage", "error", "nothing", "cut", "odd usage", "filtered", "refused"],
)  # fmt: skip
def test_only_good_plain_answers_are_kept(
    world: World, cached: Serve, behaviour: dict[str, Any]
) -> None:
    gateway = cached()
    world.upstream.behave(**behaviour)

    assert twice(gateway, world) == ["miss", "miss"]
    assert len(world.upstream.requests) >= 2


@pytest.mark.parametrize(
    "behaviour",
    [{"cut_after": 2}, {"done": False}, {"usage": {"prompt_tokens": 14, "completion_tokens": -5}}],
    ids=["cut", "no end", "odd usage"],
)
def test_only_whole_streams_are_kept(
    world: World, cached: Serve, behaviour: dict[str, Any]
) -> None:
    gateway = cached()
    world.upstream.behave(**behaviour)

    assert twice(gateway, world, stream=True) == ["miss", "miss"]
    assert len(world.upstream.requests) == 2


def test_long_answers_are_not_kept(world: World, cached: Serve) -> None:
    gateway = cached()
    world.upstream.behave(words=("a" * 1024 * 1024,))

    assert twice(gateway, world) == ["miss", "miss"]


@pytest.mark.parametrize(
    "headers",
    [
        {"cache-control": "no-cache"},
        {"Cache-Control": "max-age=0, No-Store"},
        {"x-keeptrusts-cache": "bypass"},
    ],
    ids=str,
)
def test_a_request_may_pass_the_cache_by(
    world: World, cached: Serve, headers: dict[str, str]
) -> None:
    gateway = cached()
    stored(gateway, world)
    world.upstream.behave(words=("Something", " new"))

    answer = gateway.request(
        "POST", "/v1/chat/completions", body=chat(), key=world.key, headers=headers
    )

    assert answer.headers["x-keeptrusts-cache"] == "bypass"
    assert b"Something new" in answer.raw
    over(gateway)
    assert b"Clouds drift by" in gateway.chat(world.key).raw


def test_sampled_answers_are_kept_only_where_the_policy_says_so(
    world: World, cached: Serve
) -> None:
    assert twice(cached(), world, temperature=0.7) == ["bypass", "bypass"]
    assert twice(cached(cache={"sampled": True}), world, temperature=0.7) == ["miss", "hit"]


def test_a_shorter_time_to_live_counts_for_older_answers_too(world: World, cached: Serve) -> None:
    stored(cached(), world)

    shorter = cached(cache={"ttl_seconds": 1})

    eventually(lambda: shorter.chat(world.key, seed=1).status == 200)
    eventually(lambda: cache_of(shorter, world) == "miss")


def cache_of(gateway: RunningGateway, world: World) -> str:
    return gateway.chat(world.key).headers["x-keeptrusts-cache"]


def test_another_organization_never_gets_the_answer(world: World, cached: Serve) -> None:
    stored(cached(cache={"fabric_scope": "org"}), world)
    rival = factories.make_organization("rival", credit=100)
    team = factories.make_team(rival, "engineering", balance=10)
    theirs = World(rival, team, "kt_cg_rival", world.upstream)
    group = theirs.policy()["consumer_groups"]

    gateway = cached(cache={"fabric_scope": "org"}, organization="rival", consumer_groups=group)

    assert cache_of(gateway, theirs) == "miss"


@pytest.mark.parametrize(
    ("fabric", "other_team", "other_group"),
    [("org", "hit", "hit"), ("team", "miss", "hit"), ("user", "miss", "miss")],
)
def test_answers_are_shared_within_the_fabric_and_not_beyond(
    world: World, cached: Serve, fabric: str, other_team: str, other_group: str
) -> None:
    factories.make_team(world.organization, "sales", balance=10)
    groups = [
        {"name": "sales", "api_key": "kt_cg_sales", "wallet_team_id": "team_sales"},
        {"name": "mates", "api_key": "kt_cg_mates", "wallet_team_id": f"team_{world.team.slug}"},
    ]
    own = world.policy()["consumer_groups"]
    gateway = cached(cache={"fabric_scope": fabric}, consumer_groups=[*own, *groups])
    stored(gateway, world)

    mates = gateway.chat("kt_cg_mates").headers["x-keeptrusts-cache"]
    sales = gateway.chat("kt_cg_sales").headers["x-keeptrusts-cache"]

    assert (sales, mates) == (other_team, other_group)


def test_two_people_of_a_team_share_nothing_where_the_fabric_is_the_user(
    world: World, cached: Serve
) -> None:
    secrets = []
    for name in ("ada", "bob"):
        user = factories.make_user(world.organization, name, member_of=(world.team,))
        secrets.append(factories.make_personal_key(world.team, user).secret)
    gateway = cached(cache={"fabric_scope": "user"})

    def ask(secret: str) -> str:
        headers = {"authorization": f"Bearer {secret}"}
        answer = gateway.request("POST", "/v1/chat/completions", body=chat(), headers=headers)
        over(gateway)
        return answer.headers["x-keeptrusts-cache"]

    assert [ask(secret) for secret in (*secrets, *secrets)] == ["miss", "miss", "hit", "hit"]


def test_a_group_may_have_a_fabric_of_its_own(world: World, cached: Serve) -> None:
    own = world.policy()["consumer_groups"][0] | {"fabric_scope": "user"}
    mates = {
        "name": "mates",
        "api_key": "kt_cg_mates",
        "wallet_team_id": f"team_{world.team.slug}",
    }
    gateway = cached(consumer_groups=[own, mates])
    stored(gateway, world)

    assert gateway.chat("kt_cg_mates").headers["x-keeptrusts-cache"] == "miss"
