"""Cost tickets in the admin: who waits, approve with before and after, dismiss."""

import re

from tests import factories
from tests.factories import nano
from tests.wallets.admin.confirming import confirm, page, shown
from tests.wallets.admin.conftest import SignIn
from tests.wallets.admin.test_pages import address
from tests.wallets.conftest import Company
from wallets.models import CostTicket, Reservation, Waiter

FIELD = re.compile(r'<label>([^<]+)</label>\s*<div class="readonly">(.*?)</div>', re.DOTALL)
"""Names and values of the fields of a page."""


def ticket_of(company: Company) -> CostTicket:
    """The other team is short of 3 USD, and one request waits."""
    wallet = factories.team_wallet(company.other_team)
    ticket = factories.make_ticket(wallet, 3)
    asked = factories.make_waiter(wallet, 3)
    Waiter.objects.filter(pk=asked.id).update(ticket_id=ticket.pk)
    return ticket


def test_the_list_says_how_many_wait(acme: Company, sign_in: SignIn) -> None:
    ticket_of(acme)
    text = sign_in(acme.billing).get(address(CostTicket, "changelist")).content.decode()
    assert '<td class="field-waiting">1</td>' in text


def test_approving_shows_both_wallets_and_starts_with_what_is_missing(
    acme: Company, sign_in: SignIn
) -> None:
    ticket = ticket_of(acme)
    client = sign_in(acme.billing)
    form = client.get(page(ticket, "approve")).context["form"]
    assert form.initial["amount"] == "3.00"
    lines = shown(client, page(ticket, "approve"), amount="3", note="")
    assert lines[:4] == [
        ("Balance of Acme", "$100.00", "$97.00"),
        ("Balance of Support", "$0.00", "$3.00"),
        ("Callers that wait", 1, 0),
        ("Callers that go on", None, 1),
    ]
    assert CostTicket.objects.get().state == "open"


def test_a_confirmed_approval_moves_and_holds_once(acme: Company, sign_in: SignIn) -> None:
    ticket = ticket_of(acme)
    client = sign_in(acme.billing)
    values = {"amount": "5", "note": "ok", "nonce": "abc", "confirmed": "Confirm"}
    answers = [client.post(page(ticket, "approve"), values).status_code for _ in range(2)]
    assert answers == [302, 409]
    wallet = factories.team_wallet(acme.other_team)
    assert (wallet.balance, wallet.reserved) == (nano(2), nano(3))
    assert Reservation.objects.get().amount == nano(3)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.decided_by) == ("approved", acme.billing.public_id)


def test_an_approval_of_too_little_shows_before_and_after_that_somebody_goes_on_waiting(
    acme: Company, sign_in: SignIn
) -> None:
    ticket = ticket_of(acme)
    client = sign_in(acme.billing)
    lines = shown(client, page(ticket, "approve"), amount="1", note="")
    assert lines[2:4] == [("Callers that wait", 1, 1), ("Callers that go on", None, 0)]
    told = client.post(
        page(ticket, "approve"),
        {"amount": "1", "note": "", "nonce": "abc", "confirmed": "Confirm"},
        follow=True,
    ).content.decode()
    assert (
        "The ticket stays open: moved $1.00 so far, 0 waiting requests went on; "
        "1 waiting request left, missing $2.00."
    ) in told


def test_one_caller_went_on_and_not_one_requests(acme: Company, sign_in: SignIn) -> None:
    ticket = ticket_of(acme)
    values = {"amount": "3", "note": "", "nonce": "abc", "confirmed": "Confirm"}
    answer = sign_in(acme.billing).post(page(ticket, "approve"), values, follow=True)
    assert "Approved: moved $3.00, 1 waiting request went on." in answer.content.decode()


def test_a_ticket_shows_who_waits_both_shortages_and_links_to_its_events(
    acme: Company, sign_in: SignIn
) -> None:
    ticket = ticket_of(acme)
    CostTicket.objects.update(missing=nano(5), recent=["req_a", "req_b"])
    text = sign_in(acme.billing).get(address(CostTicket, "change", ticket.pk)).content.decode()
    fields = dict(FIELD.findall(text))
    assert (fields["Waiting:"], fields["Missing now:"]) == ("1", "$3.00")
    assert fields["Largest shortage so far:"] == "$5.00"
    assert fields["Recent requests:"] == (
        '<a href="/admin/gateway/decisionevent/req_b/change/">req_b</a> '
        '<a href="/admin/gateway/decisionevent/req_a/change/">req_a</a>'
    )


def test_more_than_the_wallet_above_has_is_told_at_the_field(
    acme: Company, sign_in: SignIn
) -> None:
    ticket = ticket_of(acme)
    answer = sign_in(acme.billing).post(page(ticket, "approve"), {"amount": "101", "note": ""})
    assert "has $100.00 available, not more" in str(answer.context["form"].errors["amount"])
    assert CostTicket.objects.get().state == "open"


def test_a_dismissal(acme: Company, sign_in: SignIn) -> None:
    ticket = ticket_of(acme)
    confirm(sign_in(acme.admin), page(ticket, "dismiss"), note="no")
    assert CostTicket.objects.get().state == "dismissed"
    assert Waiter.objects.get().dismissed is True


def test_an_auditor_decides_nothing(acme: Company, sign_in: SignIn) -> None:
    ticket = ticket_of(acme)
    for slug in ("approve", "dismiss"):
        assert sign_in(acme.auditor).get(page(ticket, slug)).status_code == 403


def test_a_ticket_on_the_organization_wallet_is_not_approved(
    acme: Company, sign_in: SignIn
) -> None:
    wallet = factories.organization_wallet(acme.organization)
    ticket = factories.make_ticket(wallet, 1, team=acme.team)
    answer = sign_in(acme.admin).get(page(ticket, "approve"))
    assert answer.status_code == 302
    text = sign_in(acme.admin).get(address(CostTicket, "change", ticket.pk)).content.decode()
    assert ("Dismiss" in text, ">Approve<" in text) == (True, False)
