"""Operations on wallets: money moves through ``credits``, ``allocations`` and ``adjustments``."""

from typing import Any, ClassVar

from django import forms
from django.utils import timezone

from keeptrusts.lib import money
from wallets import adjustments, allocations, credits, freezing, people
from wallets.admin.display import dollars
from wallets.admin.fields import MoneyField
from wallets.admin.operation import Call, CallForm, Line, Operation, Owners, ReasonForm
from wallets.errors import InvalidInput
from wallets.models import Reservation, Wallet
from wallets.permissions import Action
from wallets.tenancy import Actor

NOTES_LENGTH = 500
YES_NO = {True: "yes", False: "no"}


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
    form, by_ledger = CreditForm, True

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

    def check(self, call: Call) -> None:
        """A day to come, and room in the wallet."""
        expires_at = call.values["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise InvalidInput("expires_at", "must be in the future.")
        _has_room(call.row, call.values["amount"])

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
    form, by_ledger = AllocateForm, True

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

    def check(self, call: Call) -> None:
        """As much must be available above."""
        _has_available(call.values["source"], call.values["amount"])
        _has_room(call.row, call.values["amount"])

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

    amount = MoneyField(required=False)
    everything = forms.BooleanField(required=False, label="All that is available")
    notes = forms.CharField(max_length=NOTES_LENGTH, required=False)

    def clean(self) -> dict[str, Any]:
        """One of both: an empty field is no order to take everything."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if "amount" in values and (values["amount"] is None) is not values["everything"]:
            self.add_error("amount", "Give an amount, or choose all that is available.")
        return values


class Reclaim(OnWallet):
    """Money that goes back to the wallet above."""

    slug, label, action = "reclaim", "Reclaim", Action.WALLETS_RECLAIM
    form, by_ledger = ReclaimForm, True

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

    def check(self, call: Call) -> None:
        """As much must be available, and something."""
        amount = call.values["amount"]
        _has_available(call.row, 1 if amount is None else amount)

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
        return [Line("Frozen", YES_NO[call.row.frozen], YES_NO[self.frozen])]

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
            Line(
                "Draws on the wallet above",
                YES_NO[row.draws_on_parent],
                YES_NO[values["draws_on_parent"]],
            ),
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
        signed=True,
        help_text="US dollars to give back, for example 12.50. To take more from the wallet, put a "
        "minus sign in front: -12.50.",
    )
    notes = forms.CharField(max_length=NOTES_LENGTH, label="Reason")


class Adjust(Operation):
    """Corrects a settled charge."""

    slug, label, action = "adjust", "Adjust this charge", Action.WALLETS_ADJUST
    form, by_ledger = AdjustForm, True

    def applies(self, actor: Actor, row: Reservation) -> bool:
        """Only charges of requests, and no open holds, which are not charged yet."""
        closed = row.state not in (Reservation.State.HELD, Reservation.State.REFUNDED)
        return closed and row.kind == Reservation.Kind.USAGE

    def lines(self, call: Call) -> list[Line]:
        """The charge and the wallet that paid it."""
        amount, charged = call.values["amount"], call.row.charged + call.row.adjusted
        return [
            Line("Charge", dollars(charged), dollars(charged - amount)),
            _balance(call.row.wallet, amount),
            Line("Reason", None, call.values["notes"]),
        ]

    def check(self, call: Call) -> None:
        """Back goes at most what the charge stands at; more is taken only from what is there."""
        row, amount = call.row, call.values["amount"]
        stands = row.charged + row.adjusted
        if amount > stands:
            raise InvalidInput(
                "amount", f"The charge stands at {dollars(stands)}: at most that can be given back."
            )
        if -amount > row.wallet.available:
            raise InvalidInput("amount", _too_little(row.wallet))

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


def _has_available(wallet: Wallet, amount: int) -> None:
    """As much may leave the wallet."""
    if wallet.debt:
        raise InvalidInput(
            "amount",
            f"The wallet {wallet} owes {dollars(wallet.debt)}; nothing can be moved out of it "
            "until that is repaid.",
        )
    if amount > wallet.available:
        raise InvalidInput("amount", _too_little(wallet))


def _has_room(wallet: Wallet, amount: int) -> None:
    """As much may come in."""
    if wallet.posted + amount > money.MAX_BALANCE:
        most = dollars(money.MAX_BALANCE)
        raise InvalidInput("amount", f"The wallet {wallet} may hold at most {most}.")


def _too_little(wallet: Wallet) -> str:
    return f"The wallet {wallet} has {dollars(wallet.available)} available, not more."


def _input(amount: int | None) -> str:
    return "" if amount is None else dollars(amount).replace("$", "").replace(",", "")
