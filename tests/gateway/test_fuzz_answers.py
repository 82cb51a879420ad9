"""No answer of a provider, however odd, makes the gateway fail, leaks a hold or charges wrongly."""

from collections.abc import Iterator

import pytest
from django.db.models import Q
from hypothesis import given
from hypothesis import strategies as st

from gateway.models import DecisionEvent
from keeptrusts.lib import money
from tests import factories
from tests.fakes.hostile import Hostile
from tests.gateway import fuzzing
from tests.gateway.conftest import Serve, World
from tests.gateway.fuzzing import ROUTES, SEEDS, STREAMING, Books
from tests.gateway.odd_answers import answers
from tests.gateway.serving import RunningGateway

pytestmark = pytest.mark.django_db(transaction=True)

MOST_PROMPT, MOST_COMPLETION = 600, 64 + 64 // 8 + 64
"""Twice the bytes of the longest request here; the bound that is sent, and what is let pass."""
MODES = {
    "cut": {"hold": "progressive", "on_exhausted_stream": "cut"},
    "finish": {"hold": "progressive", "on_exhausted_stream": "finish"},
    "warn": {"on_exhausted": "warn"},
}
LITTLE = 20_000_000
"""Nano-dollars: less than the worst case of the long answers, more than their first tokens."""
LONG = {
    "chat": {"n": 4, "max_tokens": 16_000},
    "messages": {"max_tokens": 4_000},
    "translated": {"max_tokens": 4_000},
}


@pytest.fixture
def fuzzed(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[RunningGateway, Hostile, Books]]:
    """One gateway before one misbehaving provider, for all examples of a test."""
    for pause in ("RECONNECT_PAUSE", "RETURN_PAUSE"):
        monkeypatch.setattr(f"gateway.targets.attempts.{pause}", (0.0, 0.0))
    with Hostile(lambda asked: []) as upstream, Books(world).open() as books:
        yield fuzzing.gateway_before(upstream, serve), upstream, books


@pytest.fixture
def poor(
    world: World, serve: Serve, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[RunningGateway, Hostile, Books]]:
    """The same for a team that cannot pay for the worst case, in one of the modes for that."""
    world.team = factories.make_team(
        world.organization, "poor", balance=money.dollars(LITTLE), draws_on_parent=False
    )
    monkeypatch.setattr("gateway.targets.attempts.RETURN_PAUSE", (0.0, 0.0))
    with Hostile(lambda asked: []) as upstream, Books(world).open() as books:
        yield (
            fuzzing.gateway_before(upstream, serve, cost_tracking=MODES[request.param]),
            upstream,
            books,
        )


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("route", ROUTES)
@fuzzing.bounded(12)
@given(data=st.data())
def test_no_answer_breaks_anything(
    fuzzed: tuple[RunningGateway, Hostile, Books],
    world: World,
    route: str,
    stream: bool,
    data: st.DataObject,
) -> None:
    gateway, upstream, books = fuzzed
    stream = stream and route in STREAMING
    said = data.draw(answers(route, stream))
    upstream.plan = lambda asked: said.script
    body = SEEDS[route] | ({"stream": True} if stream else {})

    answer = gateway.request("POST", ROUTES[route], body=body, key=world.key)

    books.check(route, answer, upstream=said.status)
    books.verify()
    beyond = Q(prompt_tokens__gt=MOST_PROMPT) | Q(completion_tokens__gt=MOST_COMPLETION)
    assert not DecisionEvent.objects.filter(beyond).exists()


@pytest.mark.parametrize("poor", MODES, indirect=True)
@fuzzing.bounded(12)
@given(data=st.data())
def test_no_answer_takes_more_than_there_is(
    poor: tuple[RunningGateway, Hostile, Books], world: World, data: st.DataObject
) -> None:
    gateway, upstream, books = poor
    route = data.draw(st.sampled_from(sorted(LONG)))
    said = data.draw(answers(route, stream=True, wordy=True))
    upstream.plan = lambda asked: said.script
    body = SEEDS[route] | LONG[route] | {"stream": True}
    spent = LITTLE - world.wallet.posted
    if spent:
        factories.fund(world.wallet, money.dollars(spent))

    answer = gateway.request("POST", ROUTES[route], body=body, key=world.key)

    books.check(route, answer, upstream=said.status)
    books.verify()
