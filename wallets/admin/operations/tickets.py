"""Operations on cost tickets: approve and dismiss."""

from typing import Any

from django import forms

from wallets import tickets
from wallets.admin.display import dollars
from wallets.admin.fields import MoneyField
from wallets.admin.operation import Call, CallForm, Line, Operation, Owners
from wallets.errors import InvalidInput
from wallets.models import CostTicket
from wallets.permissions import Action
from wallets.tenancy import Actor
from wallets.tickets.deciding import NOTE_LENGTH


class OnTicket(Operation):
    """An operation on an open ticket, for who may decide it."""

    action = Action.TICKETS_DECIDE

    def to(self, row: CostTicket) -> Owners:
        """Its team and the person whose wallet was short."""
        return row.team, row.user

    def allowed(self, actor: Actor, row: Any) -> bool:
        """The operation's own rule: leads decide about the team's own money only."""
        return tickets.may_decide(actor, row)

    def applies(self, actor: Actor, row: CostTicket) -> bool:
        """A ticket is decided once."""
        return row.state == CostTicket.State.OPEN


class ApproveForm(CallForm):
    """How much, and why."""

    amount = MoneyField(help_text="Moved from the wallet above; it starts with what is missing.")
    note = forms.CharField(max_length=NOTE_LENGTH, required=False)

    def prepare(self) -> None:
        """What is missing now."""
        missing = tickets.of(self.call.row).missing
        self.initial["amount"] = dollars(missing).replace("$", "").replace(",", "")


class ApproveTicket(OnTicket):
    """Money comes down, and those who wait go on."""

    slug, label = "approve", "Approve"
    form, by_ledger = ApproveForm, True

    def applies(self, actor: Actor, row: CostTicket) -> bool:
        """Above the organisation wallet stands no other: it is topped up."""
        return super().applies(actor, row) and row.wallet.parent_id is not None

    def lines(self, call: Call) -> list[Line]:
        """Both wallets, as they would be before the waiting requests take their holds."""
        wallet, amount = call.row.wallet, call.values["amount"]
        above = wallet.parent
        assert above is not None
        waiting, going = tickets.of(call.row).waiting, tickets.going_on(call.row, amount)
        return [
            Line(f"Balance of {above}", dollars(above.balance), dollars(above.balance - amount)),
            Line(f"Balance of {wallet}", dollars(wallet.balance), dollars(wallet.balance + amount)),
            Line("Callers that wait", waiting, waiting - going),
            Line("Callers that go on", None, going),
            Line("Note", None, call.values["note"]),
        ]

    def check(self, call: Call) -> None:
        """As much must be available above."""
        above = call.row.wallet.parent
        if above.debt:
            raise InvalidInput("amount", f"The wallet {above} owes {dollars(above.debt)}.")
        if call.values["amount"] > above.available:
            message = f"The wallet {above} has {dollars(above.available)} available, not more."
            raise InvalidInput("amount", message)

    def run(self, call: Call) -> str:
        """Approve."""
        decided = tickets.approve(
            actor=call.actor,
            ticket=call.row,
            amount=call.values["amount"],
            note=call.values["note"],
            claim=call.claim(self.slug),
        )
        moved, served = dollars(decided.approved_amount), _callers(decided.served)
        if decided.state == CostTicket.State.APPROVED:
            return f"Approved: moved {moved}, {served} went on."
        left = tickets.of(tickets.rows(decided.organization).get(pk=decided.pk))
        return (
            f"The ticket stays open: moved {moved} so far, {served} went on; "
            f"{_callers(left.waiting)} left, missing {dollars(left.missing)}."
        )


def _callers(number: int) -> str:
    return f"{number} waiting {'request' if number == 1 else 'requests'}"


class DismissForm(CallForm):
    """Why."""

    note = forms.CharField(max_length=NOTE_LENGTH, required=False)


class DismissTicket(OnTicket):
    """No money comes; those who wait are refused."""

    slug, label, form = "dismiss", "Dismiss", DismissForm

    def lines(self, call: Call) -> list[Line]:
        """What ends."""
        return [
            Line("Callers that wait", tickets.of(call.row).waiting, 0),
            Line("Note", None, call.values["note"]),
        ]

    def run(self, call: Call) -> str:
        """Dismiss."""
        tickets.dismiss(actor=call.actor, ticket=call.row, note=call.values["note"])
        return "Dismissed."
