"""The number gateways poll: raised with every change of what they keep in memory."""

from django.db.models import F
from django.utils import timezone

from wallets.models import Revision


def bump() -> None:
    """Raise the revision, inside the transaction of the change it announces."""
    changed = Revision.objects.filter(pk=1).update(
        number=F("number") + 1, changed_at=timezone.now()
    )
    if not changed:
        Revision.objects.get_or_create(pk=1, defaults={"number": 1})


def current() -> int:
    """The revision now; 0 before the first change."""
    return Revision.objects.filter(pk=1).values_list("number", flat=True).first() or 0
