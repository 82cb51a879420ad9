"""From the secret of a request to the API token it belongs to."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from wallets.keys.secret import LIVE, digest
from wallets.models import ApiToken, Membership, Organization

LONGEST_SECRET = 200
USED_EVERY = timedelta(minutes=1)
"""``last_used_at`` is at most this much behind: a write for every call would cost too much."""


def authenticate(secret: str) -> ApiToken | None:
    """The live token of a secret, with its owner and organisation; None for everything else.

    The lookup is by digest: how long it takes tells nothing about how much of a secret is right.
    """
    if not secret.startswith(LIVE) or len(secret) > LONGEST_SECRET:
        return None
    token = (
        ApiToken.objects.select_related("organization", "user", "service_account")
        .filter(digest=digest(secret))
        .first()
    )
    if token is None or not _live(token):
        return None
    _note_use(token)
    return token


def _live(token: ApiToken) -> bool:
    if token.revoked_at is not None or token.organization.status != Organization.Status.ACTIVE:
        return False
    if token.expires_at is not None and token.expires_at <= timezone.now():
        return False
    if token.user is None:
        return token.service_account is not None and token.service_account.disabled_at is None
    if not token.user.is_active:
        return False
    return (
        token.user.is_superuser
        or Membership.objects.filter(
            organization_id=token.organization_id, user=token.user
        ).exists()
    )


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    due = now - USED_EVERY
    if token.last_used_at is not None and token.last_used_at > due:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=due)
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
    token.last_used_at = now
