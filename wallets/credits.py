"""Money that enters an organisation wallet by hand."""

from datetime import datetime

from django.db.models import F
from django.utils import timezone

from keeptrusts.lib import money
from wallets import audit, ledger, periods, sums
from wallets.allocations import check_notes, ref
from wallets.errors import Conflict, Forbidden, InvalidInput
from wallets.ledger import Claimed, Result
from wallets.ledger.posting import Pairs
from wallets.models import Entry, Organization, Wallet

BY_PLATFORM = "platform"
"""Reason of credits by platform administrators: the monthly limit does not count them."""


def credit(
    *, organization: Organization, amount: int, actor: str, notes: str, by_platform: bool,
    expires_at: datetime | None = None, claim: Claimed | None = None,
) -> Result:  # fmt: skip
    """Put ``amount`` nano-dollars into the organisation wallet; a reason (``notes``) is required.

    In funding mode ``prepaid`` only the platform may; in ``internal`` billing admins too, up to the
    organisation's monthly amount. Raises ``Forbidden``, ``Conflict``, ``InvalidInput``,
    ``BalanceLimit``.
    """
    if not notes.strip():
        raise InvalidInput("description", "is required: say why the money is credited.")
    check_notes(notes)
    if not 0 < amount <= money.nanos(money.MAX_AMOUNT):
        raise InvalidInput("amount", "must be more than 0 and at most 10,000,000 US dollars.")
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidInput("expires_at", "must be in the future.")
    if not by_platform and organization.funding_mode != Organization.FundingMode.INTERNAL:
        raise Forbidden(
            "This organization is prepaid: only payments and platform administrators add money.",
            code="funding_mode_prepaid",
        )
    wallet = Wallet.objects.get(organization=organization, scope=Wallet.Scope.ORGANIZATION)
    operation = ledger.Credit(
        organization_id=organization.pk, wallet=ref(wallet), amount=amount, actor=actor,
        notes=notes, expires_at=expires_at, claim=claim, reason=BY_PLATFORM if by_platform else "",
    )  # fmt: skip

    def checked(pairs: Pairs) -> None:
        for _, result in pairs:
            if not result.ok or result.replayed:
                continue
            if not by_platform:
                _within_monthly_limit(organization, wallet)
            audit.record(
                organization=organization, actor=actor, action="wallet.credit",
                target=wallet.public_id,
                after={"amount": money.token(amount), "by_platform": by_platform},
            )  # fmt: skip

    return ledger.post_one(operation, alongside=checked)


def _within_monthly_limit(organization: Organization, wallet: Wallet) -> None:
    """Checked under the wallet's lock, after the entry: a refusal rolls all of it back."""
    limit = organization.monthly_credit_limit
    if limit is None:
        return
    begun = periods.start("month", timezone.now(), organization.time_zone)
    credited = Entry.objects.filter(wallet=wallet, type=Entry.Type.CREDIT, created_at__gte=begun)
    total = sums.total(credited.exclude(reason=BY_PLATFORM), F("d_posted") - F("d_debt"))
    if total > limit:
        raise Conflict(
            "The monthly amount that billing admins may credit would be exceeded.",
            code="monthly_credit_limit", limit=limit, credited=total,
        )  # fmt: skip
