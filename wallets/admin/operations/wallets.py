"""Operations on wallets: money moves through ``credits``, ``allocations`` and ``adjustments``."""

from typing import Any, ClassVar

from django import forms

from wallets import adjustments, allocations, credits, freezing, people
from wallets.admin.display import dollars
from wallets.admin.fields import MoneyField
from wallets.admin.operation import Call, CallForm, Line, Operation, Owners, ReasonForm
from wallets.models import Reservation, Wallet
from wallets.permissions import Action
from wallets.tenancy import Actor

NOTES_LENGTH = 500


class OnWallet(Operation):
    """An operation on a wallet: of a team, of a person in it, or of the organisation."""

    def to(self, row: Wallet) -> Owners:
        """The owners of the wallet."""
        return row.team, row.user


class CreditForm(CallForm):
    """How much, why, and until when."""

    amount = MoneyField()
    notes = forms.CharField(max_length=NOTES_LENGTH, label="Reason")
    expires_at = forms.DateTimeField(
        required=False, help_text="Unused money leaves then (UTC, 2026-12-31 23:59). Empty: never."
    )


class Credit(OnWallet):
    """Money that enters by hand."""

    slug, label, action = "credit", "Credit", Action.WALLETS_CREDIT
    form = CreditForm

    def applies(self, actor: Actor, row: Wallet) -> bool:
        """Only organisation wallets are credited."""
        return row.scope == Wallet.Scope.ORGANIZATION

    def lines(self, call: Call) -> list[Line]:
        """The balance grows by the amount."""
        return [
            _balance(call.row, call.values["amount"]),
            Line("Expires", None, call.values["expires_at"] or "never"),
            Line("Reason", None, call.values["notes"]),
        ]

    def run(self, call: Call) -> str:
        """Credit."""
        result = credits.credit(
            organization=call.organization,
            amount=call.values["amount"],
            actor=call.actor.public_id,
            notes=call.values["notes"],
            expires_at=call.values["expires_at"],
            by_platform=call.actor.platform,
            claim=call.claim(self.slug),
        )
        return f"Credited {dollars(result.amount)}."


class AllocateForm(CallForm):
    """From which wallet above, how much."""

    source = forms.ModelChoiceField(queryset=Wallet.objects.none(), label="From", empty_label=None)
    amount = MoneyField()
    notes = forms.CharField(max_length=NOTES_LENGTH, required=False)

    def prepare(self) -> None:
        """Only the wallets above this one."""
        row, above = self.call.row, []
        while row is not None and row.parent_id is not None:
            row = row.parent
            above.append(row.pk)
        field: Any = self.fields["source"]
        rows = Wallet.objects.filter(pk__in=above).select_related("organization", "team", "user")
        field.queryset = rows.order_by("-scope")
        field.initial = above[0] if above else None


class Allocate(OnWallet):
    """Money that comes down from a wallet above."""

    slug, label, action = "allocate", "Allocate", Action.WALLETS_ALLOCATE
    form = AllocateForm

    def applies(self, actor: Actor, row: Wallet) -> bool:
        """Not to the organisation wallet: nothing stands above it."""
        return row.parent_id is not None

    def lines(self, call: Call) -> list[Line]:
        """Both wallets."""
        source, amount = call.values["source"], call.values["amount"]
        return [
            _balance(source, -amount),
            _balance(call.row, amount),
            Line("Notes", None, call.values["notes"]),
        ]

    def run(self, call: Call) -> str:
        """Allocate."""
        result = allocations.allocate(
            organization=call.organization,
            source=call.values["source"],
            target=call.row,
            amount=call.values["amount"],
            actor=call.actor.public_id,
            notes=call.values["notes"],
            claim=call.claim(self.slug),
        )
        return f"Allocated {dollars(result.amount)} to {call.row}."


class ReclaimForm(CallForm):
    """How much, or all."""

    amount = MoneyField(required=False, help_text="US dollars. Empty: all that is available.")
    notes = forms.CharField(max_length=NOTES_LENGTH, required=False)


class Reclaim(OnWallet):
    """Money that goes back to the wallet above."""

    slug, label, action = "reclaim", "Reclaim", Action.WALLETS_RECLAIM
    form = ReclaimForm

    def applies(self, actor: Actor, row: Wallet) -> bool:
        """Not from the organisation wallet."""
        return row.parent_id is not None

    def lines(self, call: Call) -> list[Line]:
        """Both wallets."""
        amount = call.values["amount"]
        amount = call.row.available if amount is None else amount
        return [
            _balance(call.row, -amount),
            _balance(call.row.parent, amount),
            Line("Notes", None, call.values["notes"]),
        ]

    def run(self, call: Call) -> str:
        """Reclaim."""
        result = allocations.reclaim(
            organization=call.organization,
            wallet=call.row,
            amount=call.values["amount"],
            actor=call.actor.public_id,
            notes=call.values["notes"],
            claim=call.claim(self.slug),
        )
        return f"Reclaimed {dollars(result.amount)} from {call.row}."


class Freeze(OnWallet):
    """A frozen wallet pays nothing new; open holds settle."""

    slug, label, action, many = "freeze", "Freeze", Action.WALLETS_FREEZE, True
    form = ReasonForm
    frozen: ClassVar[bool] = True

    def applies(self, actor: Actor, row: Wallet) -> bool:
        """Only where it changes something."""
        return row.frozen is not self.frozen

    def lines(self, call: Call) -> list[Line]:
        """The switch."""
        return [Line("Frozen", call.row.frozen, self.frozen)]

    def run(self, call: Call) -> str:
        """Freeze."""
        freezing.freeze(wallet=call.row, actor=call.actor.public_id, reason=call.values["reason"])
        return f"Froze {call.row}."


class Unfreeze(Freeze):
    """The wallet pays again."""

    slug, label = "unfreeze", "Unfreeze"
    frozen = False

    def run(self, call: Call) -> str:
        """Unfreeze."""
        freezing.unfreeze(wallet=call.row, actor=call.actor.public_id, reason=call.values["reason"])
        return f"{call.row} pays again."


class DrawsForm(CallForm):
    """Whether, and up to how much, the wallet above helps out."""

    draws_on_parent = forms.BooleanField(required=False, label="Draws on the wallet above")
    draw_per_day = MoneyField(required=False, allow_zero=True)
    draw_per_month = MoneyField(required=False, allow_zero=True)

    def prepare(self) -> None:
        """Start from what is set."""
        for name in self.fields:
            value = getattr(self.call.row, name)
            self.initial[name] = value if name == "draws_on_parent" else _input(value)


class Draws(OnWallet):
    """The switch to the wallet above, and its caps."""

    slug, label, action = "draws", "Change draws", Action.WALLETS_MANAGE
    form = DrawsForm

    def applies(self, actor: Actor, row: Wallet) -> bool:
        """The organisation wallet draws on nothing."""
        return row.parent_id is not None

    def lines(self, call: Call) -> list[Line]:
        """The switch and the caps."""
        row, values = call.row, call.values
        return [
            Line("Draws on the wallet above", row.draws_on_parent, values["draws_on_parent"]),
            Line("Per day", dollars(row.draw_per_day), dollars(values["draw_per_day"])),
            Line("Per month", dollars(row.draw_per_month), dollars(values["draw_per_month"])),
        ]

    def run(self, call: Call) -> str:
        """Change."""
        people.set_draws(actor=call.actor, wallet=call.row, **call.values)
        return "Changed what the wallet may draw."


class ThresholdForm(CallForm):
    """Below which balance a wallet is low."""

    amount = MoneyField(
        required=False, allow_zero=True, help_text="Empty: 10 % of the last money in."
    )


class Threshold(OnWallet):
    """The balance below which a wallet is low."""

    slug, label, action = "threshold", "Change low balance", Action.WALLETS_MANAGE
    form = ThresholdForm

    def lines(self, call: Call) -> list[Line]:
        """The threshold."""
        return [Line("Low below", dollars(call.row.low_threshold), dollars(call.values["amount"]))]

    def run(self, call: Call) -> str:
        """Change."""
        people.set_low_threshold(actor=call.actor, wallet=call.row, amount=call.values["amount"])
        return "Changed the low balance."


class AdjustForm(CallForm):
    """How much to give back, or take."""

    amount = MoneyField(
        signed=True, help_text="US dollars given back; with a minus sign: taken from the wallet."
    )
    notes = forms.CharField(max_length=NOTES_LENGTH, label="Reason")


class Adjust(Operation):
    """Corrects a settled charge."""

    slug, label, action = "adjust", "Adjust this charge", Action.WALLETS_ADJUST
    form = AdjustForm

    def applies(self, actor: Actor, row: Reservation) -> bool:
        """Open holds are not corrected."""
        return row.state != Reservation.State.HELD

    def lines(self, call: Call) -> list[Line]:
        """The charge and the wallet that paid it."""
        amount, charged = call.values["amount"], call.row.charged + call.row.adjusted
        return [
            Line("Charge", dollars(charged), dollars(charged - amount)),
            _balance(call.row.wallet, amount),
            Line("Reason", None, call.values["notes"]),
        ]

    def run(self, call: Call) -> str:
        """Adjust."""
        adjustments.adjust(
            organization=call.organization,
            reservation_id=call.row.pk,
            amount=call.values["amount"],
            actor=call.actor.public_id,
            notes=call.values["notes"],
            claim=call.claim(self.slug),
        )
        return f"Adjusted the charge by {dollars(call.values['amount'])}."


def _balance(wallet: Wallet, change: int) -> Line:
    """A wallet's balance, as it would be were nothing else going on."""
    return Line(f"Balance of {wallet}", dollars(wallet.balance), dollars(wallet.balance + change))


def _input(amount: int | None) -> str:
    return "" if amount is None else dollars(amount).replace("$", "").replace(",", "")
