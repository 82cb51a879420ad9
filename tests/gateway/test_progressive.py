"""Holds of streams that grow with the answer, on the wallets that may pay for them."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import orjson
import pytest

from gateway.models import DecisionEvent, WrittenOff
from keeptrusts.lib import money
from tests import factories
from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, chat, eventually
from tests.gateway.waiting.crowds import MODEL, poor_team, usage_that_costs, worst_case
from wallets import sweeper, verification
from wallets.models import CostTicket, Entry, Reservation, Waiter, Wallet

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

OUT = 10_000
"""Nano-dollars of a completion token."""
SLICE = 256
WORDS = tuple(f"{number:04d}" for number in range(600))
"""2,400 bytes: as many tokens, for a server that is not the provider's own."""
TEXT = "".join(WORDS)


def _prompt(world: World) -> int:
    return worst_case(world, max_tokens=1) - OUT


def _texts(answer: Answer) -> str:
    lines = [line[6:] for line in answer.raw.split(b"\n") if line.startswith(b"data: {")]
    chunks = [orjson.loads(line) for line in lines]
    choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
    return "".join(choice["delta"].get("content", "") for choice in choices)


def _error(answer: Answer) -> dict[str, Any]:
    lines = [line[6:] for line in answer.raw.split(b"\n") if b'"error"' in line]
    return orjson.loads(lines[0])["error"] if lines else {}


def _stream(gateway: Any, key: str, **fields: Any) -> Answer:
    return gateway.chat(key, model=MODEL, stream=True, **fields)  # type: ignore[no-any-return]


def _held() -> int:
    return Reservation.objects.get(state="held").amount


def test_only_the_prompt_and_one_slice_is_held_at_first(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate=gate)
    gateway = serve()
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(_stream, gateway, world.key)
        eventually(gate.reached.is_set)

        assert _held() == _prompt(world) + SLICE * OUT
        gate.open()
        assert asked.result().status == 200
    assert world.event().hold == _prompt(world) + SLICE * OUT
    assert not Entry.objects.filter(part=1).exists()


def test_the_hold_grows_before_the_text_goes_out(world: World, serve: Serve) -> None:
    usage, cost = usage_that_costs(14, 2_400)
    world.upstream.behave(words=WORDS, usage=usage)
    gateway = serve()

    answer = _stream(gateway, world.key)

    assert _texts(answer) == TEXT
    event = world.event()
    assert (event.verdict, event.cost, event.written_off) == ("allow", cost, 0)
    parts = Entry.objects.filter(type="reserve", reservation=event.reservation)
    assert parts.count() >= 2
    assert _prompt(world) + 2_400 * OUT <= event.hold <= worst_case(world)
    assert world.wallet.total_spent == cost
    assert verification.verify().problems == []


def test_never_more_than_the_worst_case_is_held(world: World, serve: Serve) -> None:
    usage, _ = usage_that_costs(14, 600)
    world.upstream.behave(words=WORDS[:150], usage=usage)
    gateway = serve()

    assert _texts(_stream(gateway, world.key, max_tokens=600)) == "".join(WORDS[:150])
    assert world.event().hold == worst_case(world, max_tokens=600)


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"x-keeptrusts-hold": "worst_case"}, {}),
        ({}, {"reasoning_effort": "low"}),
        ({}, {"stream": False}),
    ],
    ids=["header", "hidden output", "plain"],
)
def test_the_worst_case_is_held(
    world: World, serve: Serve, headers: dict[str, str], fields: dict[str, Any]
) -> None:
    gateway = serve()

    body = chat(model=MODEL, stream=True) | fields
    answer = gateway.request(
        "POST", "/v1/chat/completions", body=body, key=world.key, headers=headers
    )

    assert answer.status == 200
    assert world.event().hold == worst_case(world)


def test_the_worst_case_is_held_where_the_policy_says_so(world: World, serve: Serve) -> None:
    gateway = serve(cost_tracking={"hold": "worst_case"})

    assert _stream(gateway, world.key).status == 200
    assert world.event().hold == worst_case(world)


def test_a_hold_nobody_knows_is_refused(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.request(
        "POST",
        "/v1/chat/completions",
        body=chat(),
        key=world.key,
        headers={"x-keeptrusts-hold": "none"},
    )

    assert (answer.status, answer.error["param"]) == (400, "x-keeptrusts-hold")
    assert world.upstream.requests == []


def _person(world: World, own: int) -> tuple[str, Wallet]:
    """A key of a person whose wallet has ``own`` nano-dollars and draws on the team's."""
    person = factories.make_user(world.organization)
    wallet = factories.make_user_wallet(world.team, person, balance=money.dollars(own))
    return factories.make_personal_key(world.team, person).secret, wallet


def test_a_stream_goes_on_with_the_money_of_the_team(world: World, serve: Serve) -> None:
    own = _prompt(world) + 600 * OUT
    poor_team(world, worst_case(world) - 1)
    key, wallet = _person(world, own)
    usage, cost = usage_that_costs(14, 2_400)
    world.upstream.behave(words=WORDS, usage=usage)
    gateway = serve()

    answer = gateway.request(
        "POST",
        "/v1/chat/completions",
        body=chat(model=MODEL, stream=True),
        headers={"authorization": f"Bearer {key}"},
    )

    assert _texts(answer) == TEXT
    event = world.event()
    assert (event.wallet_id, event.cost, event.written_off) == (world.wallet.pk, cost, 0)
    assert event.details["moved_from"] == wallet.public_id
    wallet.refresh_from_db()
    assert (wallet.posted, wallet.reserved, wallet.total_spent) == (own, 0, 0)
    assert world.wallet.total_spent == cost
    assert verification.verify().problems == []


def test_the_wallet_is_the_one_that_covers_the_worst_case(world: World, serve: Serve) -> None:
    key, wallet = _person(world, _prompt(world) + 600 * OUT)
    gateway = serve()

    gateway.request(
        "POST",
        "/v1/chat/completions",
        body=chat(model=MODEL, stream=True),
        headers={"authorization": f"Bearer {key}"},
    )

    assert world.event().wallet_id == world.wallet.pk


def test_a_stream_nobody_pays_for_any_more_is_cut_and_told_its_charge(
    world: World, serve: Serve
) -> None:
    poor_team(world, _prompt(world) + 600 * OUT)
    world.upstream.behave(words=WORDS, usage=None)
    gateway = serve(cost_tracking={"contention_wait_seconds": 0.2})

    answer = _stream(gateway, world.key)

    error = _error(answer)
    assert error["code"] == "insufficient_balance"
    text = _texts(answer)
    assert TEXT.startswith(text)
    event = world.event()
    assert (event.verdict, event.reason_code) == ("error", "insufficient_balance")
    assert event.written_off == 0
    assert f'"charged":{money.token(event.cost or 0)}'.encode() in answer.raw
    assert world.wallet.total_spent == event.cost
    assert world.wallet.reserved == 0
    assert verification.verify().problems == []


def test_a_stream_may_finish_though_nobody_pays_on(world: World, serve: Serve) -> None:
    own = _prompt(world) + 600 * OUT
    poor_team(world, own)
    usage, cost = usage_that_costs(14, 2_400)
    world.upstream.behave(words=WORDS, usage=usage)
    gateway = serve(cost_tracking={"on_exhausted_stream": "finish", "contention_wait_seconds": 0.2})

    answer = _stream(gateway, world.key)

    assert _texts(answer) == TEXT
    event = world.event()
    assert (event.verdict, event.cost, event.written_off) == ("allow", cost, cost - own)
    assert "warned" in event.flags
    assert (world.wallet.posted, world.wallet.total_spent) == (0, own)
    eventually(lambda: WrittenOff.objects.get().amount < cost)
    assert verification.verify().problems == []


def test_what_may_be_written_off_is_capped_per_day(world: World, serve: Serve) -> None:
    poor_team(world, _prompt(world) + 600 * OUT)
    world.upstream.behave(words=WORDS)
    gateway = serve(
        cost_tracking={
            "on_exhausted_stream": "finish",
            "contention_wait_seconds": 0.2,
            "write_off_per_day": 0.001,
        }
    )

    assert _error(_stream(gateway, world.key))["code"] == "insufficient_balance"
    assert world.event().written_off == 0


def test_an_extension_waits_for_others_to_settle(world: World, serve: Serve) -> None:
    """Pain 2: holds of others block nobody who has the money."""
    gate = Gate()
    poor_team(world, 2 * _prompt(world) + 2_800 * OUT)
    usage, cost = usage_that_costs(14, 25)
    world.upstream.once(usage=usage, gate=gate)
    usage_of_stream, cost_of_stream = usage_that_costs(14, 2_400)
    world.upstream.behave(words=WORDS, usage=usage_of_stream)
    gateway = serve()
    with ThreadPoolExecutor() as threads:
        first = threads.submit(gateway.chat, world.key, model=MODEL, max_tokens=1_500)
        eventually(gate.reached.is_set)
        stream = threads.submit(_stream, gateway, world.key)
        eventually(lambda: Waiter.objects.filter(part__gt=0).exists(), what="it waits")
        gate.open()

        assert _error(stream.result()) == {}
        assert (first.result().status, _texts(stream.result())) == (200, TEXT)
    assert world.wallet.total_spent == cost + cost_of_stream
    assert DecisionEvent.objects.get(streamed=True).written_off == 0
    assert not Waiter.objects.exists()


def test_a_sweep_charges_what_the_last_extension_had_counted(world: World, serve: Serve) -> None:
    from datetime import timedelta

    gate = Gate()
    world.upstream.behave(words=WORDS, gate_after=(500, gate))
    gateway = serve()
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(_stream, gateway, world.key)
        eventually(gate.reached.is_set)
        eventually(lambda: Reservation.objects.get().checkpoint > 0)
        checkpoint = Reservation.objects.get().checkpoint

        report = sweeper.sweep(older_than=timedelta(0))

        assert report.charged >= checkpoint >= 256 * OUT
        gate.open()
        assert asked.result().status == 200


ENGLISH = (" answer",) * 400
"""2,800 bytes and 400 tokens: with the margin, an eighth and 64, they are taken for 514."""


def test_a_stream_of_an_unknown_tokenizer_is_not_cut_by_its_bytes(
    world: World, serve: Serve
) -> None:
    own = _prompt(world) + 600 * OUT
    poor_team(world, own)
    usage, cost = usage_that_costs(14, 400)
    world.upstream.behave(words=ENGLISH, usage=usage)
    gateway = serve(cost_tracking={"contention_wait_seconds": 0.2})

    answer = _stream(gateway, world.key)

    assert (_texts(answer), _error(answer)) == ("".join(ENGLISH), {})
    event = world.event()
    assert (event.verdict, event.cost, event.written_off) == ("allow", cost, 0)
    assert own - OUT <= event.hold <= own
    assert (world.wallet.posted, world.wallet.reserved) == (own - cost, 0)
    assert not CostTicket.objects.exists()
    assert verification.verify().problems == []


def test_a_stream_that_is_cut_says_what_is_left_and_has_a_ticket(
    world: World, serve: Serve
) -> None:
    own = _prompt(world) + 600 * OUT
    poor_team(world, own)
    world.upstream.behave(words=ENGLISH * 2, usage=None)
    gateway = serve(cost_tracking={"contention_wait_seconds": 0.2})

    details = _error(_stream(gateway, world.key))["details"]

    event, ticket = world.event(), CostTicket.objects.get()
    assert details["ticket"] == ticket.public_id
    assert money.nanos(Decimal(str(details["charged"]))) == event.cost
    assert money.nanos(Decimal(str(details["balance"]))) == world.wallet.posted
    assert details["wallet"] == world.wallet.public_id
    assert (event.written_off, world.wallet.total_spent) == (0, event.cost)
    assert (ticket.needed, ticket.missing) == (worst_case(world), worst_case(world) - own)
    assert ticket.recent == [event.id]
