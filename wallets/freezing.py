"""Freezing a wallet: it pays for nothing new; holds taken earlier settle, money may come and go."""

from django.db import transaction

from wallets import audit, revisions
from wallets.models import Wallet


def freeze(*, wallet: Wallet, actor: str, reason: str = "") -> bool:
    """Freeze; returns False when it was frozen already."""
    return _set(wallet, True, actor, reason)


def unfreeze(*, wallet: Wallet, actor: str, reason: str = "") -> bool:
    """Let it pay again; returns False when it was not frozen."""
    return _set(wallet, False, actor, reason)


def _set(wallet: Wallet, frozen: bool, actor: str, reason: str) -> bool:
    with transaction.atomic():
        changed = Wallet.objects.filter(pk=wallet.pk, frozen=not frozen).update(frozen=frozen)
        if changed:
            audit.record(
                organization=wallet.organization, actor=actor, target=wallet.public_id,
                action="wallet.freeze" if frozen else "wallet.unfreeze",
                before={"frozen": not frozen}, after={"frozen": frozen, "reason": reason[:200]},
            )  # fmt: skip
            revisions.bump()
    wallet.frozen = frozen
    return bool(changed)
