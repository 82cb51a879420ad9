"""Holds whose process died: charged by checkpoint, the rest returned, nothing twice."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import hold, make_organization, nano, organization_wallet, settle
from wallets import ledger, sweeper
from wallets.models import Entry, Reservation, Wallet

pytestmark = [pytest.mark.django_db, pytest.mark.engines]

ANY_AGE = timedelta(0)


@pytest.fixture
def wallet() -> Wallet:
    return organization_wallet(make_organization(credit=10))


def expired_hold(wallet: Wallet, dollars: int, *, checkpoint: int = 0) -> Reservation:
    reservation = hold(wallet, dollars)
    if checkpoint:
        ledger.post_one(
            ledger.Heartbeat(
                organization_id=wallet.organization_id, id=reservation.pk, checkpoint=checkpoint
            )
        )
    past = timezone.now() - timedelta(seconds=1)
    Reservation.objects.filter(pk=reservation.pk).update(expires_at=past)
    return reservation


def test_a_live_hold_stays(wallet: Wallet) -> None:
    hold(wallet, 4)
    assert sweeper.sweep().closed == 0
    assert organization_wallet(wallet.organization).reserved == nano(4)


def test_a_hold_past_its_age_returns_whole(wallet: Wallet) -> None:
    hold(wallet, 4)
    report = sweeper.sweep(older_than=ANY_AGE)
    assert (report.closed, report.charged, report.returned) == (1, 0, nano(4))
    assert organization_wallet(wallet.organization).balance == nano(10)
    assert Entry.objects.get(part=Entry.CLOSING).type == "refund"


def test_the_checkpoint_is_charged(wallet: Wallet) -> None:
    expired_hold(wallet, 4, checkpoint=nano(1))
    sweeper.sweep(older_than=ANY_AGE)
    swept = organization_wallet(wallet.organization)
    assert (swept.balance, swept.total_spent) == (nano(9), nano(1))


def test_a_second_sweep_finds_nothing(wallet: Wallet) -> None:
    hold(wallet, 4)
    sweeper.sweep(older_than=ANY_AGE)
    assert sweeper.sweep(older_than=ANY_AGE).due == 0


def test_a_late_settle_charges_what_the_sweep_did_not(wallet: Wallet) -> None:
    reservation = expired_hold(wallet, 4, checkpoint=nano(1))
    sweeper.sweep(older_than=ANY_AGE)
    late = settle(reservation, 3)
    assert (late.state, late.charged) == ("settled_late", nano(3))
    assert organization_wallet(wallet.organization).balance == nano(7)


def test_holds_for_payments_are_never_swept(wallet: Wallet) -> None:
    hold(wallet, 4, kind="payment_refund", ttl=None)
    assert sweeper.sweep(older_than=ANY_AGE).due == 0


def test_witnesses_write_in_the_same_transaction(
    wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(sweeper, "_witnesses", [seen.extend])
    reservation = hold(wallet, 4)
    sweeper.sweep(older_than=ANY_AGE)
    assert [operation.id for operation, _ in seen] == [reservation.pk]  # type: ignore[misc]


def test_a_time_to_live_of_zero_is_due_at_once(wallet: Wallet) -> None:
    reservation = hold(wallet, 4, ttl=timedelta(0))
    assert reservation.expires_at is not None
    sweep = ledger.Sweep(organization_id=wallet.organization_id, id=reservation.pk)
    assert ledger.post_one(sweep).state == "expired"
