"""Writes down in the audit log which policy file came into force: its version and its settings."""

from django.db import transaction

from gateway.policy import PolicyFile
from wallets import audit
from wallets.models import AuditRecord, Organization

ACTION = "policy.load"


@transaction.atomic
def record(policy: PolicyFile, organization_id: int) -> None:
    """One record per version that follows another, whichever process reads it first."""
    # Processes of one gateway start together; the second finds the record of the first.
    Organization.objects.select_for_update(no_key=True).get(pk=organization_id)
    last = (
        AuditRecord.objects.for_organization(organization_id)
        .filter(action=ACTION)
        .order_by("-pk")
        .first()
    )
    target = f"policy:{policy.config_version}"
    if last is not None and last.target == target:
        return
    audit.record(
        organization=organization_id,
        actor="gateway",
        action=ACTION,
        target=target,
        before=last.after if last is not None else None,
        after=policy.redacted(),
    )
