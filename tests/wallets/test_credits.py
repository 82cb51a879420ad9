"""Money that enters by hand: who may, how much, and why."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import make_organization, nano, organization_wallet
from wallets import credits
from wallets.errors import BalanceLimit, Conflict, Forbidden, InvalidInput
from wallets.models import Entry, Organization

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


def give(organization: Organization, dollars: int, **changes: object) -> None:
    arguments = {
        "organization": organization, "amount": nano(dollars), "actor": "user_x",
        "notes": "Because", "by_platform": False, **changes,
    }  # fmt: skip
    credits.credit(**arguments)  # type: ignore[arg-type]


def test_prepaid_organizations_are_credited_by_the_platform_only() -> None:
    organization = make_organization(funding_mode="prepaid")
    with pytest.raises(Forbidden) as refusal:
        give(organization, 1)
    assert refusal.value.code == "funding_mode_prepaid"
    give(organization, 1, by_platform=True)
    assert organization_wallet(organization).posted == nano(1)


def test_internal_organizations_credit_up_to_their_monthly_amount() -> None:
    organization = make_organization(funding_mode="internal", monthly_credit_limit=nano(100))
    give(organization, 500, by_platform=True)
    give(organization, 60)
    give(organization, 40)
    with pytest.raises(Conflict) as refusal:
        give(organization, 1)
    assert refusal.value.code == "monthly_credit_limit"
    assert organization_wallet(organization).posted == nano(600)
    assert Entry.objects.filter(type="credit").count() == 3


def test_a_reason_is_required() -> None:
    with pytest.raises(InvalidInput) as refusal:
        give(make_organization(funding_mode="internal"), 1, notes="  ")
    assert refusal.value.field == "description"


def test_an_expiry_in_the_past_is_refused() -> None:
    organization = make_organization(funding_mode="internal")
    with pytest.raises(InvalidInput) as refusal:
        give(organization, 1, expires_at=timezone.now() - timedelta(seconds=1))
    assert refusal.value.field == "expires_at"
    assert organization_wallet(organization).posted == 0


def test_a_wallet_has_an_upper_bound() -> None:
    organization = make_organization(funding_mode="internal")
    for _ in range(400):
        give(organization, 10_000_000, by_platform=True)
    with pytest.raises(BalanceLimit):
        give(organization, 1, by_platform=True)
    assert organization_wallet(organization).posted == 4_000_000_000 * 10**9
