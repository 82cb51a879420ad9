"""Organisations: made and configured by platform administrators, named by their own admins."""

from django.db import transaction

from wallets import permissions
from wallets.errors import InvalidInput
from wallets.models import Organization, Wallet
from wallets.people import checks
from wallets.people.checks import UNCHANGED, Unchanged
from wallets.permissions import Action
from wallets.tenancy import Actor


@transaction.atomic
def create_organization(
    *,
    actor: Actor,
    slug: str,
    name: str,
    time_zone: str = "UTC",
    funding_mode: str = Organization.FundingMode.PREPAID,
    monthly_credit_limit: int | None = None,
) -> Organization:
    """Make an organisation and its empty wallet; platform administrators only.

    ``monthly_credit_limit`` in nano-dollars, only with funding mode ``internal``. Raises
    InvalidInput, Conflict (``slug_taken``), Forbidden.
    """
    permissions.require_platform(actor)
    organization = Organization(
        slug=checks.slug(slug),
        name=checks.name(name),
        time_zone=checks.time_zone(time_zone),
        funding_mode=checks.choice(funding_mode, Organization.FundingMode, field="funding_mode"),
        monthly_credit_limit=checks.amount(monthly_credit_limit, field="monthly_credit_limit"),
    )
    _check_funding(organization)
    with checks.unique(f"There is an organisation {slug} already.", code="slug_taken"):
        organization.save()
    Wallet.objects.create(organization=organization, scope=Wallet.Scope.ORGANIZATION)
    checks.written(
        actor,
        organization,
        action="organization.create",
        target=organization.public_id,
        after={
            "slug": slug,
            "time_zone": time_zone,
            "funding_mode": funding_mode,
            "monthly_credit_limit": monthly_credit_limit,
        },
    )
    return organization


@transaction.atomic
def change_organization(
    *,
    actor: Actor,
    organization: Organization,
    name: str | Unchanged = UNCHANGED,
    time_zone: str | Unchanged = UNCHANGED,
    funding_mode: str | Unchanged = UNCHANGED,
    monthly_credit_limit: int | None | Unchanged = UNCHANGED,
    status: str | Unchanged = UNCHANGED,
) -> Organization:
    """Change settings. Funding and status belong to the platform: they decide who makes money.

    Raises InvalidInput, Forbidden, NotFound.
    """
    permissions.require(actor, Action.ORGANIZATION_WRITE, organization=organization)
    changes: dict[str, object] = {}
    if not isinstance(name, Unchanged):
        changes["name"] = checks.name(name)
    if not isinstance(time_zone, Unchanged):
        changes["time_zone"] = checks.time_zone(time_zone)
    if not isinstance(funding_mode, Unchanged):
        changes["funding_mode"] = checks.choice(
            funding_mode, Organization.FundingMode, field="funding_mode"
        )
    if not isinstance(monthly_credit_limit, Unchanged):
        changes["monthly_credit_limit"] = checks.amount(
            monthly_credit_limit, field="monthly_credit_limit"
        )
    if not isinstance(status, Unchanged):
        changes["status"] = checks.choice(status, Organization.Status, field="status")
    if changes.keys() - {"name", "time_zone"}:
        permissions.require_platform(actor)
    row = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    checks.change(
        actor, row, row, changes, action="organization.change", target=organization.public_id
    )
    _check_funding(row)
    return row


def _check_funding(organization: Organization) -> None:
    if (
        organization.monthly_credit_limit is not None
        and organization.funding_mode != Organization.FundingMode.INTERNAL
    ):
        raise InvalidInput(
            "monthly_credit_limit", "needs funding mode internal: nobody else credits by hand."
        )
