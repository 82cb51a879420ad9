"""Correcting a settled charge: a new entry, never an edit."""

from uuid import UUID

from keeptrusts.lib import money
from wallets import audit, ledger
from wallets.allocations import check_notes
from wallets.errors import InvalidInput
from wallets.ledger import Claimed, Result
from wallets.ledger.posting import Pairs
from wallets.models import Organization


def adjust(
    *, organization: Organization, reservation_id: UUID, amount: int, actor: str, notes: str,
    claim: Claimed | None = None,
) -> Result:  # fmt: skip
    """Give ``amount`` nano-dollars back to the wallet that paid, or take more when negative.

    Gives back at most what the charge still stands at; takes at most the balance. A reason is
    required. Raises ``NotFound``, ``Conflict``, ``InsufficientFunds``, ``InvalidInput``.
    """
    if not notes.strip():
        raise InvalidInput("description", "is required: say why the charge is corrected.")
    check_notes(notes)
    if amount == 0 or abs(amount) > money.nanos(money.MAX_AMOUNT):
        raise InvalidInput("amount", "must not be 0, and at most 10,000,000 US dollars.")
    operation = ledger.Adjust(
        organization_id=organization.pk, id=reservation_id, amount=amount, actor=actor, notes=notes,
        claim=claim,
    )  # fmt: skip

    def audited(pairs: Pairs) -> None:
        for _, result in pairs:
            if result.ok and not result.replayed:
                audit.record(
                    organization=organization, actor=actor, action="charge.adjust",
                    target=str(reservation_id), after={"amount":
                    money.fixed(money.dollars(amount))},
                )  # fmt: skip

    return ledger.post_one(operation, alongside=audited)
