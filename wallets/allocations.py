"""Moving money between the wallets of one organisation: allocate, allocate in bulk, reclaim."""

from collections.abc import Sequence

from keeptrusts.lib import ids, money
from wallets import audit, ledger
from wallets.errors import InvalidInput, NotFound
from wallets.ledger import Claimed, Leg, Ref, Result
from wallets.ledger.posting import Pairs
from wallets.models import Organization, Wallet

NOTES_LENGTH = 500


def ref(wallet: Wallet) -> Ref:
    """A wallet as the ledger names it."""
    return Ref(id=wallet.pk, rank=wallet.rank)


def parent_of(wallet: Wallet) -> Wallet:
    """The wallet above; the organisation wallet has none."""
    if wallet.parent is None:
        raise InvalidInput("from", "is needed: the organization wallet has no wallet above it.")
    return wallet.parent


def allocate(
    *, organization: Organization, target: Wallet, amount: int, actor: str,
    source: Wallet | None = None, notes: str = "", claim: Claimed | None = None,
) -> Result:  # fmt: skip
    """Add ``amount`` nano-dollars to ``target`` from the wallet above (or ``source``): zero-sum,
    at once.

    Raises ``InsufficientFunds``, ``InDebt``, ``BalanceLimit``, ``InvalidInput``, ``NotFound``.
    """
    return allocate_bulk(
        organization=organization, source=source or parent_of(target), targets=[(target, amount)],
        actor=actor, notes=notes, claim=claim,
    )  # fmt: skip


def allocate_bulk(
    *, organization: Organization, source: Wallet, targets: Sequence[tuple[Wallet, int]], actor:
    str, notes: str = "", claim: Claimed | None = None,
) -> Result:  # fmt: skip
    """Allocate from one source to many targets, all or nothing; the total is checked first."""
    if not targets:
        raise InvalidInput("allocations", "needs at least one target.")
    for target, amount in targets:
        _check_direction(organization, source, target)
        _check_amount(amount)
    legs = tuple(Leg(source=ref(source), target=ref(t), amount=amount) for t, amount in targets)
    return _transfer(organization, legs, "allocation", actor, notes, claim, [t for t, _ in targets])


def reclaim(
    *, organization: Organization, wallet: Wallet, amount: int | None, actor: str,
    notes: str = "", claim: Claimed | None = None,
) -> Result:  # fmt: skip
    """Return ``amount`` (None: all that is available) to the wallet above. Open holds stay."""
    target = parent_of(wallet)
    _check_direction(organization, target, wallet)
    if amount is not None:
        _check_amount(amount)
    legs = (Leg(source=ref(wallet), target=ref(target), amount=amount),)
    return _transfer(organization, legs, "reclaim", actor, notes, claim, [wallet])


def _check_direction(organization: Organization, source: Wallet, target: Wallet) -> None:
    if source.organization_id != organization.pk or target.organization_id != organization.pk:
        raise NotFound("The wallet does not exist.")
    above, steps = target.parent, 0
    while above is not None and steps < len(Wallet.RANKS):
        if above.pk == source.pk:
            return
        above, steps = above.parent, steps + 1
    raise InvalidInput(
        "from", "must be a wallet above the target: organization, or the user's team."
    )


def _check_amount(amount: int) -> None:
    if not 0 < amount <= money.nanos(money.MAX_AMOUNT):
        raise InvalidInput("amount", "must be more than 0 and at most 10,000,000 US dollars.")


def _transfer(
    organization: Organization, legs: tuple[Leg, ...], reason: str, actor: str, notes: str,
    claim: Claimed | None, targets: list[Wallet],
) -> Result:  # fmt: skip
    check_notes(notes)
    operation = ledger.Transfer(
        organization_id=organization.pk, id=ids.uuid7(), legs=legs, reason=reason, actor=actor,
        notes=notes, claim=claim,
    )  # fmt: skip

    def audited(pairs: Pairs) -> None:
        for _, result in pairs:
            if result.ok and not result.replayed:
                audit.record(
                    organization=organization, actor=actor, action=f"wallet.{reason}",
                    target=",".join(wallet.public_id for wallet in targets)[:200],
                    after={"amount": money.token(result.amount), "transfer": str(operation.id)},
                )  # fmt: skip

    return ledger.post_one(operation, alongside=audited)


def check_notes(notes: str) -> None:
    """Notes fit their column."""
    if len(notes) > NOTES_LENGTH:
        raise InvalidInput("description", f"must be at most {NOTES_LENGTH} characters.")
