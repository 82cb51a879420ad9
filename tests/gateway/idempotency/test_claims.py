"""The rows of keys: who gets one, who takes one over, and when they go."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from gateway import events
from gateway.idempotency import claims
from gateway.idempotency.claims import Claim, Claimed, Finished, Lost, OwnedKey, Reused, Running
from gateway.models import DecisionEvent, IdempotentCall
from keeptrusts.lib import ids
from tests import factories
from wallets import ledger, sweeper
from wallets.ledger import Candidate, Reserve, Settle
from wallets.models import Organization, Reservation, Wallet

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

AT_ONCE = 8


@pytest.fixture
def organization() -> Organization:
    return factories.make_organization("acme", credit=100)


def wanted(organization: Organization, request_id: str, **changes: Any) -> Claim:
    facts: dict[str, Any] = {"key": "k", "fingerprint": "f"} | changes
    return Claim(organization_id=organization.pk, request_id=request_id, **facts)


def _die() -> None:
    """Nobody renews any more."""
    IdempotentCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def _at_once(claimants: list[Claim]) -> list[claims.Outcome]:
    def one(claim: Claim) -> claims.Outcome:
        try:
            return claims.claim(claim)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(claimants)) as threads:
        return list(threads.map(one, claimants))


def test_of_many_at_once_exactly_one_gets_the_key(organization: Organization) -> None:
    for number in range(5):
        found = _at_once(
            [wanted(organization, f"r-{i}", key=f"k-{number}") for i in range(AT_ONCE)]
        )

        assert found.count(Claimed()) == 1
        assert found.count(Running()) == AT_ONCE - 1


def test_of_many_at_once_exactly_one_takes_over_from_the_dead(organization: Organization) -> None:
    claims.claim(wanted(organization, "dead"))
    _die()

    found = _at_once([wanted(organization, f"r-{i}") for i in range(AT_ONCE)])

    assert found.count(Claimed()) == 1
    assert found.count(Running()) == AT_ONCE - 1


def test_a_running_request_keeps_its_key_from_other_bodies(organization: Organization) -> None:
    claims.claim(wanted(organization, "first"))

    assert claims.claim(wanted(organization, "second", fingerprint="g")) == Reused()


def test_a_renewed_key_stays_with_its_owner(organization: Organization) -> None:
    claims.claim(wanted(organization, "first"))
    _die()

    claims.renew(["first"], ["k"])

    assert claims.claim(wanted(organization, "second")) == Running()


def test_an_owner_that_was_taken_over_can_neither_renew_nor_finish_nor_free(
    organization: Organization,
) -> None:
    claims.claim(wanted(organization, "first"))
    _die()
    assert claims.claim(wanted(organization, "second")) == Claimed()

    claims.renew(["first"], ["k"])
    claims.close([(OwnedKey("k", "first", b"late"), True), (OwnedKey("k", "first"), False)])

    row = IdempotentCall.objects.get()
    assert (row.request_id, row.answer, row.finished_at) == ("second", None, None)


def _reserve(organization: Organization, request_id: str) -> Reserve:
    wallet = Wallet.objects.get(organization=organization, scope="organization")
    return Reserve(
        id=ids.uuid7(),
        organization_id=organization.pk,
        amount=1_000,
        candidates=(Candidate(wallet=ledger.Ref(id=wallet.pk, rank=2)),),
        request_id=request_id,
    )


def test_while_the_hold_of_the_dead_is_open_nobody_gets_the_key(
    organization: Organization,
) -> None:
    claims.claim(wanted(organization, "dead"))
    ledger.post_one(_reserve(organization, "dead"))
    _die()

    assert claims.claim(wanted(organization, "next")) == Running()


def test_a_hold_that_was_swept_without_charge_frees_the_key(organization: Organization) -> None:
    claims.claim(wanted(organization, "dead"))
    ledger.post_one(_reserve(organization, "dead"))
    _die()
    sweeper.sweep(older_than=timedelta(0))

    assert claims.claim(wanted(organization, "next")) == Claimed()


def test_a_hold_that_was_swept_with_a_charge_means_the_answer_is_lost(
    organization: Organization,
) -> None:
    claims.claim(wanted(organization, "dead"))
    reserve = _reserve(organization, "dead")
    ledger.post_one(reserve)
    ledger.post_one(
        ledger.Heartbeat(id=reserve.id, organization_id=organization.pk, checkpoint=300)
    )
    _die()
    sweeper.sweep(older_than=timedelta(0))

    assert Reservation.objects.get().charged == 300
    assert claims.claim(wanted(organization, "next")) == Lost()


def test_after_a_day_the_key_is_free_again(organization: Organization) -> None:
    claims.claim(wanted(organization, "first"))
    claims.close([(OwnedKey("k", "first", b"answer"), True)])
    assert claims.claim(wanted(organization, "second")) == Finished(b"answer")

    IdempotentCall.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    _die()

    assert claims.claim(wanted(organization, "third", fingerprint="g")) == Claimed()


def test_an_answer_is_kept_for_a_day_from_its_end(organization: Organization) -> None:
    claims.claim(wanted(organization, "first"))
    claims.close([(OwnedKey("k", "first", b"answer"), True)])

    row = IdempotentCall.objects.get()
    assert row.finished_at is not None
    assert row.expires_at - row.finished_at == timedelta(hours=24)


def _settle(organization: Organization, reserve: Reserve, key: OwnedKey) -> Settle:
    event = events.Event(
        id=reserve.request_id,
        organization_id=organization.pk,
        route="/v1/chat/completions",
        verdict="allow",
        status=200,
        created_at=timezone.now(),
        reservation=reserve.id,
        cost=400,
    )
    event.carry(key)
    return Settle(id=reserve.id, organization_id=organization.pk, cost=400, attachment=event)


def test_the_answer_is_kept_by_the_transaction_that_settles(organization: Organization) -> None:
    claims.claim(wanted(organization, "req_1"))
    reserve = _reserve(organization, "req_1")
    ledger.post_one(reserve)
    key = OwnedKey("k", "req_1", b"sealed")

    ledger.post_one(_settle(organization, reserve, key), alongside=events.write)

    assert Reservation.objects.get().state == "settled"
    assert claims.claim(wanted(organization, "req_2")) == Finished(b"sealed")
    assert key.closed


def test_where_the_answer_cannot_be_kept_nothing_is_settled(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims.claim(wanted(organization, "req_1"))
    reserve = _reserve(organization, "req_1")
    ledger.post_one(reserve)
    monkeypatch.setattr(claims, "_FINISH", "UPDATE nothing SET x = %s, %s, %s, %s, %s")

    result = ledger.post(
        [_settle(organization, reserve, OwnedKey("k", "req_1", b"sealed"))],
        alongside=events.write,
    )[0]

    assert not result.ok
    assert Reservation.objects.get().state == "held"
    assert DecisionEvent.objects.count() == 0
    assert IdempotentCall.objects.get().finished_at is None


def test_a_purge_takes_what_has_expired_and_leaves_what_runs(organization: Organization) -> None:
    for name in ("old", "kept", "running"):
        claims.claim(wanted(organization, name, key=name))
    claims.close([(OwnedKey(name, name, b"answer"), True) for name in ("old", "kept")])
    IdempotentCall.objects.exclude(key="kept").update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )

    assert claims.purge() == 1
    assert set(IdempotentCall.objects.values_list("key", flat=True)) == {"kept", "running"}


def test_a_purge_takes_everything_however_much_there_is(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "PURGE_BATCH", 2)
    for number in range(5):
        claims.claim(wanted(organization, f"r-{number}", key=f"k-{number}"))
    _die()
    IdempotentCall.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert claims.purge() == 5


def test_an_organization_is_purged_alone(organization: Organization) -> None:
    other = factories.make_organization("other", credit=1)
    claims.claim(wanted(organization, "a", key="a"))
    claims.claim(wanted(other, "b", key="b"))
    claims.close([(OwnedKey("a", "a", b"x"), True), (OwnedKey("b", "b", b"y"), True)])

    assert claims.purge_organization(organization) == 1
    assert IdempotentCall.objects.get().organization_id == other.pk
