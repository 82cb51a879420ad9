"""The lines before wallets: who waits, for how long still, and what there is to take.

Places are taken and given up in the ledger, under the lock of the wallet; this is what goes on
around it. A process renews the places of its requests as long as it lives and asks again when
``standing`` says that there may be enough.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connections, transaction
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.utils import timezone

from wallets.ledger import Reserve, packing
from wallets.models import Waiter, Wallet

LEASE = timedelta(seconds=5)
KEPT = timedelta(hours=1)
"""How long a place whose process died stays to be looked at."""
_RANK = Case(
    *(When(scope=scope, then=Value(rank)) for scope, rank in Wallet.RANKS.items()),
    output_field=IntegerField(),
)


def live(using: str = "default") -> "QuerySet[Waiter]":
    """Places that count: neither dismissed nor of a process that died. In turn."""
    places = Waiter.objects.using(using).filter(dismissed=False, lease_until__gt=now(using))
    return places.order_by(Case(When(part=0, then=1), default=0), "id")


def now(using: str = "default") -> datetime:
    """The time leases are measured by: the database's, which is the machine's on SQLite."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def renew(
    ids: Collection[UUID], lease: timedelta = LEASE, *, using: str = "default"
) -> dict[UUID, bool]:
    """Move the ends of these places to ``lease`` from now, all with one UPDATE.

    Answers which of them still count, each with whether it was dismissed. One that is missing was
    served, left, or lapsed: ask again with its id. Wallets are locked first, as the ledger does.
    """
    if not ids:
        return {}
    with transaction.atomic(using=using):
        places = Waiter.objects.using(using).filter(id__in=list(ids))
        wallets = _locked(places, using)
        began = now(using)
        until = began + lease
        short = Q(waiting_until__isnull=True) | Q(waiting_until__lt=until)
        Wallet.objects.using(using).filter(short, id__in=wallets).update(waiting_until=until)
        mine = places.filter(wallet__in=wallets, lease_until__gt=began)
        mine.filter(lease_until__lt=until).update(lease_until=until)
        return dict(mine.values_list("id", "dismissed"))


def _locked(places: "QuerySet[Waiter]", using: str) -> list[int]:
    """The wallets of these places, locked in the ledger's order."""
    wallets = Wallet.objects.using(using).filter(id__in=places.order_by().values("wallet"))
    if connections[using].vendor == "postgresql":
        wallets = wallets.select_for_update(no_key=True)
    return list(wallets.order_by(_RANK, "id").values_list("id", flat=True))


def leave(ids: Collection[UUID], *, using: str = "default") -> None:
    """Give these places up: the requests ended without what they waited for."""
    if ids:
        Waiter.objects.using(using).filter(id__in=sorted(ids)).delete()


def standing(wallet_ids: Iterable[int], *, using: str = "default") -> dict[int, int]:
    """What each wallet has available now, nano-dollars: one query, no locks, nobody counted off."""
    wallets = Wallet.objects.using(using).filter(id__in=list(wallet_ids))
    rows = wallets.values_list("id", "posted", "reserved", "debt")
    return {id: max(0, posted - reserved - debt) for id, posted, reserved, debt in rows}


def reserve_of(waiter: Waiter) -> Reserve:
    """The hold that waits, as it was asked for, but waiting for nothing any more.

    Raises ``ValueError`` for an extension, which only its own stream can ask for.
    """
    if waiter.part:
        raise ValueError("An extension belongs to its stream.")
    return packing.unpacked(
        waiter.payload,
        id=waiter.id,
        organization_id=waiter.organization_id,
        amount=waiter.amount,
    )


def clear(*, older_than: timedelta = KEPT, using: str = "default") -> int:
    """Delete places whose process died ``older_than`` ago; how many there were."""
    gone = Waiter.objects.using(using).filter(lease_until__lt=now(using) - older_than)
    return gone.delete()[0]
