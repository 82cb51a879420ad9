"""Idempotency-Key: the same call again answers the same and moves nothing."""

from typing import Any

import pytest

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World, caller
from tests.factories import nano
from wallets.models import AuditRecord, Claim

pytestmark = pytest.mark.engines

BODIES: dict[str, dict[str, Any]] = {
    "wallets/credit": {"amount": 7, "description": "x"},
    "wallets/allocate": {"team_id": "team_engineering", "amount": 7},
    "wallets/allocate/bulk": {"allocations": [{"team_id": "team_engineering", "amount": 7}]},
    "wallets/reclaim": {"team_id": "team_engineering", "amount": "all"},
}


@pytest.mark.parametrize("path", BODIES)
def test_a_replay_answers_the_same_bytes(world: World, admin: Caller, path: str) -> None:
    first = admin.post(path, BODIES[path], Idempotency_Key="key-1")
    after = world.balances()
    admin.post("wallets/credit", {"amount": 1, "description": "in between"})
    after = world.balances()
    again = admin.post(path, BODIES[path], Idempotency_Key="key-1")
    assert (first.status, again.status) == (200, 200)
    assert again.text == first.text
    assert world.balances() == after
    assert Claim.objects.count() == 1


@pytest.mark.parametrize("path", BODIES)
def test_another_body_under_the_same_key_is_refused(world: World, admin: Caller, path: str) -> None:
    admin.post(path, BODIES[path], Idempotency_Key="key-1")
    after = world.balances()
    changed = {**BODIES[path], "description": "another"}
    answer = admin.post(path, changed, Idempotency_Key="key-1")
    assert (answer.status, answer.error["code"]) == (422, "idempotency_key_reused")
    assert world.balances() == after


def test_adjustments_replay(world: World, admin: Caller) -> None:
    event = factories.spend(world.wallet(world.engineering), 3)
    body = {"event_id": event.pk, "amount": 1, "description": "x"}
    answers = [admin.post("wallets/adjust", body, Idempotency_Key="k") for _ in range(2)]
    assert answers[0].text == answers[1].text
    assert world.wallet(world.engineering).balance == nano(198)


def test_the_same_amount_written_otherwise_is_the_same_body(world: World, admin: Caller) -> None:
    for amount in ("7", "7.00"):
        raw = f'{{"amount": {amount}, "team_id": "team_engineering"}}'
        answer = admin.call("POST", "wallets/allocate", raw=raw, Idempotency_Key="k")
        assert answer.status == 200
    assert world.wallet(world.engineering).balance == nano(207)


def test_a_text_is_not_the_same_as_a_number(world: World, admin: Caller) -> None:
    for amount, status in (("7", 200), ('"7"', 422)):
        raw = f'{{"team_id": "team_engineering", "amount": {amount}}}'
        answer = admin.call("POST", "wallets/allocate", raw=raw, Idempotency_Key="k")
        assert answer.status == status


def test_a_refused_call_frees_its_key(world: World, admin: Caller) -> None:
    body = {"team_id": "team_engineering", "amount": 1001}
    assert admin.post("wallets/allocate", body, Idempotency_Key="k").status == 402
    factories.fund(world.wallet(), 1)
    assert admin.post("wallets/allocate", body, Idempotency_Key="k").status == 200
    assert world.wallet().balance == 0


def test_keys_belong_to_credential_and_operation(world: World, admin: Caller) -> None:
    body = {"team_id": "team_engineering", "amount": 5}
    other = caller(world.acme, factories.make_user(world.acme, role="admin"))
    for who, path in ((admin, "allocate"), (other, "allocate"), (admin, "reclaim")):
        assert who.post(f"wallets/{path}", body, Idempotency_Key="k").status == 200
    assert world.wallet(world.engineering).balance == nano(205)
    assert Claim.objects.count() == 3


def test_a_replay_is_not_audited_again(world: World, admin: Caller) -> None:
    for _ in range(3):
        admin.post("wallets/allocate", BODIES["wallets/allocate"], Idempotency_Key="k")
    assert AuditRecord.objects.filter(action="wallet.allocation").count() == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "schlüssel"])
def test_a_key_that_cannot_be_used_is_named(world: World, admin: Caller, key: str) -> None:
    before = world.balances()
    answer = admin.post("wallets/allocate", BODIES["wallets/allocate"], Idempotency_Key=key)
    assert (answer.status, answer.error["details"]["field"]) == (422, "Idempotency-Key")
    assert world.balances() == before
