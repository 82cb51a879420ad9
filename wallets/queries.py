"""Reads over many rows for pages, API and exports. All start with an organisation."""

from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet

from wallets.models import Entry, Organization, Team, User, Wallet

ALLOCATION = (Entry.Type.ALLOCATION_IN, Entry.Type.ALLOCATION_OUT)
TYPE_ALIASES: dict[str, tuple[str, ...]] = {
    "allocation": tuple(ALLOCATION),
    "payment_credit": (Entry.Type.PAYMENT_CAPTURE,),
}
"""Filter words that mean other types: ``allocation`` is both directions."""


def wallets(organization: Organization) -> QuerySet[Wallet]:
    """All wallets of an organisation with what their names need: organisation, team, user."""
    rows = Wallet.objects.for_organization(organization)
    return rows.select_related("organization", "team", "user", "parent").order_by("id")


def entries(wallet: Wallet) -> QuerySet[Entry]:
    """A wallet's ledger, newest first."""
    rows = Entry.objects.for_organization(wallet.organization_id).filter(wallet=wallet)
    return rows.select_related("wallet").order_by("-seq")


def of_type(rows: QuerySet[Entry], type: str) -> QuerySet[Entry]:
    """Entries of a type; ``allocation`` means both directions."""
    return rows.filter(type__in=TYPE_ALIASES.get(type, (type,)))


@dataclass(slots=True)
class Balances:
    """What a person or team can spend: each scope's wallet, and the one that pays now."""

    wallets: list[Wallet] = field(default_factory=list)
    effective: Wallet | None = None

    @property
    def available(self) -> int:
        """The largest amount a single request may hold, nano-dollars: a charge is never split."""
        return max((wallet.available for wallet in self.wallets if not wallet.frozen), default=0)


def balances(organization: Organization, team: Team, user: User | None = None) -> Balances:
    """The cascade of a team (and a person in it): wallets in order, and the first with money.

    Stops at a frozen wallet and where drawing upwards is switched off.
    """
    rows = wallets(organization).filter(team__in=[team]) | wallets(organization).filter(team=None)
    by_scope = {wallet.scope: wallet for wallet in rows.exclude(scope=Wallet.Scope.USER)}
    own = None
    if user is not None:
        own = wallets(organization).filter(team=team, user=user, scope=Wallet.Scope.USER).first()
    chain = [own, by_scope.get(Wallet.Scope.TEAM), by_scope.get(Wallet.Scope.ORGANIZATION)]
    found = Balances()
    for wallet in chain:
        if wallet is None:
            continue
        found.wallets.append(wallet)
        if found.effective is None and wallet.available > 0 and not wallet.frozen:
            found.effective = wallet
        if wallet.frozen or not wallet.draws_on_parent:
            break
    return found


def balance_at(wallet: Wallet, at: datetime) -> int:
    """The wallet's balance right before ``at``, nano-dollars."""
    entry = Entry.objects.filter(wallet=wallet, created_at__lt=at).order_by("-seq").first()
    return entry.balance_after if entry else 0
