"""Clients that are no person: their tokens outlive people."""

from django.db import transaction
from django.utils import timezone

from wallets import permissions
from wallets.errors import Forbidden
from wallets.models import Membership, Organization, ServiceAccount
from wallets.people import checks
from wallets.permissions import Action
from wallets.tenancy import Actor


@transaction.atomic
def create_service_account(
    *, actor: Actor, organization: Organization, name: str, role: str = Membership.Role.MEMBER
) -> ServiceAccount:
    """Make a service account with a role its creator could grant.

    Raises InvalidInput, Conflict (``name_taken``), Forbidden, NotFound.
    """
    permissions.require(actor, Action.TOKENS_MANAGE, organization=organization)
    name = checks.name(name)
    checks.choice(role, Membership.Role, field="role")
    if not permissions.grantable(actor, role, organization=organization):
        raise Forbidden("You cannot grant rights you do not have.", code="rights_exceeded")
    with checks.unique("There is a service account of this name already.", code="name_taken"):
        account = ServiceAccount.objects.create(organization=organization, name=name, role=role)
    checks.written(
        actor,
        organization,
        action="service_account.create",
        target=account.public_id,
        after={"role": role},
    )
    return account


@transaction.atomic
def disable_service_account(*, actor: Actor, account: ServiceAccount) -> ServiceAccount:
    """Refuse all its tokens from now on. Done twice it does nothing."""
    permissions.require(actor, Action.TOKENS_MANAGE, organization=account.organization)
    if account.disabled_at is None:
        checks.change(
            actor,
            account.organization,
            account,
            {"disabled_at": timezone.now()},
            action="service_account.disable",
            target=account.public_id,
        )
    return account
