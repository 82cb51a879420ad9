"""Holds of a gateway that died: swept by checkpoint, with an event of their own."""

from datetime import timedelta
from uuid import UUID

import pytest

from gateway import events
from gateway.models import DecisionEvent
from keeptrusts.lib import ids
from tests import factories
from tests.gateway.conftest import World
from wallets import ledger, sweeper

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

AT_ONCE = timedelta(0)


@pytest.fixture
def abandoned(world: World) -> UUID:
    """A hold of 20,000 nano-dollars whose gateway got as far as 5,000."""
    reservation = ids.uuid7()
    wallet = world.wallet
    ledger.post_one(
        ledger.Reserve(
            id=reservation, organization_id=world.organization.pk, amount=20_000,
            candidates=(ledger.Candidate(wallet=factories.ref(wallet)),),
            request_id="req_abandoned", team_id=world.team.pk, provider="openai",
            model="gpt-4o-mini",
            facts={"route": "/v1/chat/completions", "consumer_group": "engineering",
                   "target": "openai", "streamed": True},
        )
    )  # fmt: skip
    ledger.post_one(
        ledger.Heartbeat(id=reservation, organization_id=world.organization.pk, checkpoint=5_000)
    )
    return reservation


def test_a_swept_hold_has_an_event(world: World, abandoned: UUID) -> None:
    sweeper.sweep(older_than=AT_ONCE)

    event = DecisionEvent.objects.get()
    assert (event.id, event.reservation) == ("req_abandoned", abandoned)
    assert (event.verdict, event.reason_code, event.flags) == ("error", "swept", ["swept"])
    assert (event.cost, event.hold) == (5_000, 20_000)
    assert (event.route, event.consumer_group_name) == ("/v1/chat/completions", "engineering")
    assert (event.team_id, event.streamed) == (world.team.pk, True)


def test_a_late_settle_replaces_the_event_of_the_sweep(world: World, abandoned: UUID) -> None:
    sweeper.sweep(older_than=AT_ONCE)
    event = events.Event(
        id="req_abandoned", organization_id=world.organization.pk, route="/v1/chat/completions",
        verdict="allow", status=200, created_at=DecisionEvent.objects.get().created_at,
        cost=12_000,
    )  # fmt: skip

    ledger.post(
        [
            ledger.Settle(
                id=abandoned, organization_id=world.organization.pk, cost=12_000, attachment=event
            )
        ],
        alongside=events.write,
    )

    assert (DecisionEvent.objects.get().cost, DecisionEvent.objects.get().verdict) == (
        12_000,
        "allow",
    )
    assert world.wallet.total_spent == 12_000


def test_an_event_is_written_once_however_often_it_is_posted(world: World) -> None:
    hold = factories.hold(world.wallet, "0.01")
    event = events.Event(
        id="req_1", organization_id=world.organization.pk, route="/v1/chat/completions",
        verdict="allow", status=200, created_at=hold.created_at, cost=100,
    )  # fmt: skip
    settle = ledger.Settle(
        id=hold.pk, organization_id=world.organization.pk, cost=100, attachment=event
    )

    results = [ledger.post([settle], alongside=events.write)[0] for _ in range(2)]

    assert [(result.ok, result.replayed) for result in results] == [(True, False), (True, True)]
    assert DecisionEvent.objects.count() == 1
