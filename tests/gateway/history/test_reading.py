"""GET /v1/events/{id}/texts: who reads what was asked and answered, and that it is on record."""

from datetime import timedelta

import pytest
from django.utils import timezone

from gateway.history import texts
from gateway.history.texts import Text, Texts
from gateway.models import DecisionEvent, HistoryText
from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World, admin, world
from wallets.models import AuditRecord

__all__ = ["admin", "world"]

pytestmark = pytest.mark.engines

REQUEST = b'{"model":"m","n":12345678901234567890123,"messages":[]}'


def _event(world: World, *, of_member: bool = True) -> DecisionEvent:
    """A request of mia, or of a consumer group of her team, with texts."""
    event = factories.make_event(
        world.acme,
        team_id=world.engineering.pk,
        user_id=world.member.pk if of_member else None,
        details={"history": {"request": {"characters": 3}}},
    )
    _keep(event)
    return event


def _keep(event: DecisionEvent, request: Text | None = None) -> None:
    texts.row(
        Texts(request or Text(REQUEST), Text(b'{"id":"x"}')),
        event_id=event.pk,
        organization_id=event.organization_id,
        team_id=event.team_id,
        created_at=event.created_at,
        expires_at=timezone.now() + timedelta(days=1),
    ).save()


def test_texts_are_shown_exactly(world: World, admin: Caller) -> None:
    event = _event(world)

    answer = admin.get(f"events/{event.pk}/texts")

    assert answer.status == 200
    assert answer.body["event_id"] == event.pk
    assert answer.body["request"] == {"model": "m", "n": 12345678901234567890123, "messages": []}
    assert answer.body["answer"] == {"id": "x"}
    assert (answer.body["request_whole"], answer.body["answer_whole"]) == (True, True)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("admin", 200),
        ("auditor", 200),
        ("member", 200),
        ("billing_admin", 404),
        ("lead", 404),
        ("stranger", 404),
        ("nobody", 401),
    ],
)
def test_who_reads_the_texts_of_a_member(world: World, role: str, status: int) -> None:
    event = _event(world)
    assert world.callers[role].get(f"events/{event.pk}/texts").status == status


@pytest.mark.parametrize(
    ("role", "status"), [("admin", 200), ("auditor", 200), ("lead", 404), ("member", 404)]
)
def test_who_reads_the_texts_of_a_consumer_group(world: World, role: str, status: int) -> None:
    event = _event(world, of_member=False)
    assert world.callers[role].get(f"events/{event.pk}/texts").status == status


def test_reading_what_somebody_else_wrote_is_on_record(world: World, admin: Caller) -> None:
    event = _event(world)
    admin.get(f"events/{event.pk}/texts")

    record = AuditRecord.objects.get(action="texts.read")
    assert (record.organization, record.target) == (world.acme, event.pk)
    assert record.actor.startswith("tok_")
    assert (record.before, record.after) == (None, None)


def test_reading_ones_own_is_not(world: World) -> None:
    event = _event(world)
    world.callers["member"].get(f"events/{event.pk}/texts")

    assert not AuditRecord.objects.filter(action="texts.read").exists()


def test_a_refused_reading_leaves_no_record(world: World) -> None:
    event = _event(world)
    world.callers["lead"].get(f"events/{event.pk}/texts")

    assert not AuditRecord.objects.filter(action="texts.read").exists()


@pytest.mark.parametrize(("role", "shown"), [("admin", True), ("member", True), ("lead", False)])
def test_a_receipt_has_the_facts_and_says_who_may_read_on(
    world: World, role: str, shown: bool
) -> None:
    event = _event(world)
    receipt = world.callers[role].get(f"events/{event.pk}").body

    assert receipt["history"]["request"] == {"characters": 3}
    assert (receipt["history"]["texts_until"] is not None) is shown
    assert "history" not in receipt["details"]


def test_a_receipt_is_shown_to_a_service_account_that_may_not_read_texts(world: World) -> None:
    event = _event(world)
    account = factories.make_service_account(world.acme, role="billing_admin")
    token = factories.make_token(world.acme, service_account=account, role="billing_admin")
    caller = Caller(token.secret)

    assert caller.get(f"events/{event.pk}").body["history"]["texts_until"] is None
    assert caller.get(f"events/{event.pk}/texts").status == 403


def test_a_receipt_without_history_says_null(world: World, admin: Caller) -> None:
    event = factories.make_event(world.acme)
    assert admin.get(f"events/{event.pk}").body["history"] is None


def test_an_event_without_texts_is_404(world: World, admin: Caller) -> None:
    event = factories.make_event(world.acme)
    assert admin.get(f"events/{event.pk}/texts").status == 404


def test_texts_that_have_expired_are_404_before_they_are_deleted(
    world: World, admin: Caller
) -> None:
    event = _event(world)
    HistoryText.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert admin.get(f"events/{event.pk}/texts").status == 404


def test_texts_of_one_event_are_unreadable_as_those_of_another(
    world: World, admin: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    event, other = _event(world), factories.make_event(world.acme)
    HistoryText.objects.filter(pk=event.pk).update(event_id=other.pk)

    assert admin.get(f"events/{other.pk}/texts").status == 404
    assert "kept texts cannot be read" in caplog.text


def test_the_same_id_in_another_organization_shows_nothing(world: World) -> None:
    event = _event(world)
    HistoryText.objects.update(organization=world.beta)

    assert world.callers["admin"].get(f"events/{event.pk}/texts").status == 404
    assert world.callers["stranger"].get(f"events/{event.pk}/texts").status == 404


def test_a_text_that_was_cut_is_shown_as_text(world: World, admin: Caller) -> None:
    event = factories.make_event(world.acme)
    _keep(event, Text(b'{"model":"\xc3', whole=False))

    answer = admin.get(f"events/{event.pk}/texts")
    assert (answer.body["request"], answer.body["request_whole"]) == ('{"model":"', False)
