"""Money at the target that runs: another price, another hold, and the one who says no."""

from collections.abc import Iterator

import pytest

from gateway.models import DecisionEvent, WrittenOff
from keeptrusts.lib import ids
from tests import factories
from tests.fakes.upstream import FakeUpstream
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, eventually
from tests.gateway.several import MODEL, NOT_THERE, Pair, attempts, price, settled
from wallets import ledger
from wallets.models import Entry, Limit, Reservation, Stop

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

COST = 17_100
"""Of 14 + 25 tokens at the first target."""


@pytest.fixture
def pair(world: World, upstream: FakeUpstream, serve: Serve) -> Iterator[Pair]:
    with FakeUpstream() as second:
        yield Pair(world, upstream, second, serve)


@pytest.fixture
def down(pair: Pair) -> Pair:
    """The first target fails for good, in a way that is not tried again."""
    pair.first.behave(status=503, error=NOT_THERE, headers={"retry-after": "60"})
    return pair


def _balance(world: World, dollars: str) -> None:
    """Take money away until the team has so much."""
    wallet = world.wallet
    assert wallet.parent is not None
    leg = ledger.Leg(
        source=factories.ref(wallet),
        target=factories.ref(wallet.parent),
        amount=wallet.posted - factories.nano(dollars),
    )
    organization_id = world.organization.pk
    ledger.post_one(ledger.Transfer(organization_id=organization_id, id=ids.uuid7(), legs=(leg,)))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_dearer_fallback_is_held_and_charged_at_its_own_price(down: Pair, stream: bool) -> None:
    dear = price("other", 10)
    gateway = down.start(cost_tracking={"hold": "worst_case"})

    assert gateway.chat(down.world.key, stream=stream).status == 200

    event = down.world.event()
    assert (event.target, event.provider, event.cost) == ("second", "other", 10 * COST)
    assert event.price_version == dear.public_id
    hold = settled(down.world, 10 * COST, parts=2)
    first, more = Entry.objects.filter(reservation=hold.pk, type="reserve").order_by("seq")
    assert -more.amount == 9 * -first.amount
    assert event.hold == hold.amount == -first.amount - more.amount


def test_a_cheaper_fallback_needs_no_more_and_costs_less(down: Pair) -> None:
    price("openai", 10)
    price("other", 1)
    gateway = down.start(cost_tracking={"hold": "worst_case"})

    assert gateway.chat(down.world.key).headers["x-keeptrusts-cost"] == "0.0000171"

    hold = settled(down.world, COST, parts=1)
    assert down.world.event().hold == hold.amount


def test_the_difference_is_held_before_the_fallback_is_asked(down: Pair) -> None:
    """The wallet covers the first target and not the second: nothing goes there."""
    price("other", 10)
    gateway = down.start(cost_tracking={"hold": "worst_case", "contention_wait_seconds": 0})
    _balance(down.world, "0.01")

    answer = gateway.chat(down.world.key)

    assert (answer.status, answer.error["code"]) == (402, "insufficient_balance")
    assert down.asked == (1, 0)
    event = down.world.event()
    assert (event.verdict, event.cost, event.hold) == ("block", None, 0)
    assert (event.target, event.provider) == ("first", "openai")
    assert attempts(event) == [{"target": "first", "status": 503, "retry_after": 60.0}]
    assert event.details["skipped"] == [{"target": "second", "reason": "insufficient_balance"}]
    assert Reservation.objects.get().state == "refunded"
    assert (down.world.wallet.posted, down.world.wallet.reserved) == (10_000_000, 0)


def test_the_refusal_names_what_the_fallback_would_have_cost(down: Pair) -> None:
    price("other", 10)
    gateway = down.start(cost_tracking={"hold": "worst_case", "contention_wait_seconds": 0})
    _balance(down.world, "0.01")

    details = gateway.chat(down.world.key, max_tokens=10_000).error["details"]

    assert details["estimated_cost"] > 0.06
    assert details["team"] == "engineering"


def test_an_unaffordable_fallback_is_passed_over_for_one_that_fits(
    down: Pair, upstream: FakeUpstream
) -> None:
    price("other", 10)
    price("third", 1)
    with FakeUpstream() as third:
        targets = [
            {"id": "first", "provider": "openai", "base_url": down.first.url},
            {"id": "second", "provider": "other", "base_url": down.second.url, "priority": 1},
            {"id": "third", "provider": "third", "base_url": third.url, "priority": 2},
        ]
        gateway = down.serve(
            providers={"targets": targets},
            cost_tracking={"hold": "worst_case", "contention_wait_seconds": 0},
        )
        _balance(down.world, "0.01")

        assert gateway.chat(down.world.key).status == 200

    event = down.world.event()
    assert (event.target, event.cost) == ("third", COST)
    assert down.asked == (1, 0)
    assert Reservation.objects.get().state == "settled"
    assert down.world.wallet.posted == 10_000_000 - COST


@pytest.mark.parametrize(("ratio", "asked"), [(9.99, (1, 0)), (10, (1, 1))])
def test_a_fallback_may_be_so_many_times_as_dear_and_not_more(
    down: Pair, ratio: float, asked: tuple[int, int]
) -> None:
    price("other", 10)
    gateway = down.start(cost_tracking={"max_price_ratio": ratio})

    answer = gateway.chat(down.world.key)

    assert down.asked == asked
    assert answer.status == (200 if asked == (1, 1) else 503)
    assert not Reservation.objects.filter(state="held").exists()


def test_a_fallback_without_a_price_is_passed_over(down: Pair) -> None:
    gateway = down.start()

    answer = gateway.chat(down.world.key)

    assert (answer.status, answer.json) == (503, NOT_THERE)
    assert down.asked == (1, 0)
    assert down.world.event().details["skipped"] == [
        {"target": "second", "reason": "model_not_priced"}
    ]


def test_a_first_target_without_a_price_is_passed_over_where_another_has_one(pair: Pair) -> None:
    price("other", 1)
    gateway = pair.start(first={"provider": "unknown"})

    assert gateway.chat(pair.world.key).status == 200

    assert pair.asked == (0, 1)
    assert pair.world.event().target == "second"


def test_no_target_with_a_price_refuses_the_request(pair: Pair) -> None:
    gateway = pair.start(first={"provider": "unknown"})

    answer = gateway.chat(pair.world.key)

    assert (answer.status, answer.error["code"]) == (402, "model_not_priced")
    assert pair.world.event().target == "first"


def test_the_difference_counts_against_limits(down: Pair) -> None:
    price("other", 10)
    Limit.objects.create(
        organization=down.world.organization,
        team=down.world.team,
        period="day",
        amount=factories.nano("0.01"),
    )
    gateway = down.start(cost_tracking={"hold": "worst_case"})

    answer = gateway.chat(down.world.key)

    assert (answer.status, answer.error["code"]) == (402, "daily_limit_exceeded")
    assert down.asked == (1, 0)
    assert Reservation.objects.get().state == "refunded"


def _free_first(pair: Pair) -> Answer:
    price("openai", 0)
    price("other", 1)
    return pair.start(cost_tracking={"contention_wait_seconds": 0}).chat(pair.world.key)


def test_a_paid_fallback_of_a_free_model_is_held_and_charged(down: Pair) -> None:
    """Pain 14: what begins free does not end unpaid."""
    assert _free_first(down).status == 200

    hold = settled(down.world, COST)
    event = down.world.event()
    assert (event.target, event.cost, event.hold) == ("second", COST, hold.amount)
    assert event.reservation == hold.pk


def test_a_paid_fallback_of_a_free_model_is_refused_to_an_empty_wallet(down: Pair) -> None:
    """Pain 14: the wallet is asked at the target that runs."""
    _balance(down.world, "0")

    answer = _free_first(down)

    assert (answer.status, answer.error["code"]) == (402, "insufficient_balance")
    assert down.asked == (1, 0)
    assert not Reservation.objects.exists()
    assert DecisionEvent.objects.get().verdict == "block"


@pytest.mark.parametrize("balance", [0, 5_000, 500_000], ids=["empty", "a little", "the first"])
@pytest.mark.parametrize("times", [0, 1], ids=["free first", "paid first"])
def test_a_fallback_is_only_warned_where_the_policy_warns(
    down: Pair, balance: int, times: int
) -> None:
    _balance(down.world, f"{balance / 10**9:.9f}")
    price("openai", times)
    price("other", 100)
    gateway = down.start(
        cost_tracking={
            "on_exhausted": "warn", "contention_wait_seconds": 0, "hold": "worst_case",
            "default_max_output_tokens": 100,
        }
    )  # fmt: skip

    answer = gateway.chat(down.world.key)

    assert (answer.status, down.asked) == (200, (1, 1))
    event = down.world.event()
    assert (event.verdict, event.flags, event.target) == ("allow", ["warned"], "second")
    assert (event.cost, event.written_off) == (100 * COST, 100 * COST - balance)
    assert (down.world.wallet.posted, down.world.wallet.total_spent) == (0, balance)
    eventually(lambda: WrittenOff.objects.get().amount == 100 * COST - balance)


def test_a_warned_fallback_is_refused_above_the_cap_of_the_day(down: Pair) -> None:
    _balance(down.world, "0.000005")
    price("other", 100)
    gateway = down.start(
        cost_tracking={
            "on_exhausted": "warn", "contention_wait_seconds": 0, "write_off_per_day": 0.005,
            "default_max_output_tokens": 100,
        }
    )  # fmt: skip

    answer = gateway.chat(down.world.key)

    assert (answer.status, answer.error["code"]) == (402, "insufficient_balance")
    assert down.asked == (1, 0)
    eventually(lambda: WrittenOff.objects.get().amount == 0)
    assert down.world.wallet.total_spent == 0


def test_a_paid_fallback_of_a_free_model_meets_the_block_of_the_budget(down: Pair) -> None:
    price("openai", 0)
    price("other", 1)
    factories.spend(down.world.wallet, 9)
    alerts = [{"threshold_percent": 50, "action": "block"}]
    gateway = down.start(cost_tracking={"budget_alerts": alerts})

    answer = gateway.chat(down.world.key)

    assert (answer.status, answer.error["code"]) == (402, "budget_alert_block")
    assert down.asked == (1, 0)


def test_a_free_fallback_of_a_paid_model_gives_the_hold_back(down: Pair) -> None:
    price("other", 0)
    gateway = down.start()

    assert gateway.chat(down.world.key).headers["x-keeptrusts-cost"] == "0"

    assert (down.world.wallet.posted, down.world.wallet.reserved) == (10_000_000_000, 0)
    assert down.world.event().cost == 0


def test_a_paid_fallback_is_too_dear_for_a_free_model_under_any_ratio(down: Pair) -> None:
    price("openai", 0)
    price("other", 1)
    gateway = down.start(cost_tracking={"max_price_ratio": 1000})

    assert gateway.chat(down.world.key).status == 503
    assert down.asked == (1, 0)


def test_without_enforcement_a_fallback_is_priced_and_nothing_is_held(down: Pair) -> None:
    price("other", 10)
    gateway = down.start(cost_tracking={"wallet_enforcement": False})

    assert gateway.chat(down.world.key).status == 200

    assert down.world.event().cost == 10 * COST
    assert not Reservation.objects.exists()


def test_a_stopped_provider_is_no_fallback(down: Pair) -> None:
    price("other", 1)
    Stop.objects.create(
        organization=down.world.organization, scope="provider", target="other", created_by="test"
    )
    gateway = down.start()

    assert gateway.chat(down.world.key).status == 503
    assert down.asked == (1, 0)


def test_coming_back_to_the_first_target_needs_no_third_part(pair: Pair) -> None:
    price("other", 10)
    pair.first.once(status=500, error=NOT_THERE)
    pair.second.behave(status=400, error=NOT_THERE)
    # It asks for more patience than the first target, which is free again before it.
    pair.second.once(status=500, error=NOT_THERE, headers={"retry-after": "2"})
    gateway = pair.start(cost_tracking={"hold": "worst_case"})

    assert gateway.chat(pair.world.key).status == 200

    assert [row["target"] for row in pair.world.event().attempts] == ["first", "second", "first"]
    assert pair.world.event().cost == COST
    settled(pair.world, COST, parts=2)


def test_a_refused_fallback_leaves_the_price_of_the_target_that_answers(pair: Pair) -> None:
    price("other", 10)
    pair.first.once(status=500, error=NOT_THERE)
    gateway = pair.start(cost_tracking={"hold": "worst_case", "contention_wait_seconds": 0})
    _balance(pair.world, "0.01")

    assert gateway.chat(pair.world.key).headers["x-keeptrusts-cost"] == "0.0000171"

    event = pair.world.event()
    assert (event.target, event.provider, event.cost) == ("first", "openai", COST)
    assert event.hold == Reservation.objects.get().amount
    assert pair.asked == (2, 0)


def test_each_target_gets_the_same_model_and_its_own_key(
    down: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    price("other", 1)
    monkeypatch.setenv("FIRST_KEY", "sk-first")
    monkeypatch.setenv("SECOND_KEY", "sk-second")
    gateway = down.start(
        first={"secret_key_ref": {"env": "FIRST_KEY"}},
        second={"secret_key_ref": {"env": "SECOND_KEY"}},
    )
    gateway.chat(down.world.key)

    sent = [server.requests[0] for server in (down.first, down.second)]

    keys = [{n.lower(): v for n, v in one.headers.items()}["authorization"] for one in sent]
    assert keys == ["Bearer sk-first", "Bearer sk-second"]
    assert [one.body["model"] for one in sent] == [MODEL, MODEL]
