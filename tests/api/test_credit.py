"""POST /v1/wallets/credit."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World, caller
from tests.factories import nano
from wallets.models import CreditLot

BODY = {"amount": "12.5", "description": "Grant"}


def test_an_organization_that_funds_itself_credits_itself(world: World) -> None:
    answer = world.callers["billing_admin"].post("wallets/credit", BODY)
    assert (answer.status, str(answer.body["balance"])) == (200, "1012.5")
    assert answer.body["transactions"][0]["type"] == "credit"
    assert world.wallet().balance == nano("1012.5")


def test_a_reason_is_required(world: World, admin: Caller) -> None:
    answer = admin.post("wallets/credit", {"amount": 5})
    assert (answer.status, answer.error["details"]["field"]) == (422, "description")
    assert world.wallet().balance == nano(1000)


@pytest.mark.parametrize("role", ["admin", "billing_admin"])
def test_a_prepaid_organization_cannot_credit_itself(db: None, role: str) -> None:
    organization = factories.make_organization(credit=5)
    user = factories.make_user(organization, role=role)
    answer = caller(organization, user).post("wallets/credit", BODY)
    assert answer.status == 403
    assert "prepaid" in answer.error["message"]
    assert factories.organization_wallet(organization).balance == nano(5)


def test_the_platform_credits_any_organization_it_names(world: World) -> None:
    body = {**BODY, "organization_id": world.beta.public_id}
    assert world.callers["platform"].post("wallets/credit", body).status == 200
    assert factories.organization_wallet(world.beta).balance == nano("512.5")


def test_the_monthly_amount_holds(world: World, admin: Caller) -> None:
    world.acme.monthly_credit_limit = nano(1010)
    world.acme.save()
    answers = [admin.post("wallets/credit", {**BODY, "amount": amount}) for amount in (20, 5)]
    assert answers[0].status == 409
    assert answers[0].error["code"] == "monthly_credit_limit"
    assert answers[0].error["details"]["limit"] == 1010


def test_a_credit_may_expire(world: World, admin: Caller) -> None:
    ends = (timezone.now() + timedelta(days=30)).isoformat()
    assert admin.post("wallets/credit", {**BODY, "expires_at": ends}).status == 200
    assert CreditLot.objects.get().amount == nano("12.5")


@pytest.mark.parametrize("ends", ["2001-01-01T00:00:00Z", "soon", "9999-12-31T23:59:59Z"])
def test_an_expiry_in_the_past_or_nowhere_is_refused(
    world: World, admin: Caller, ends: str
) -> None:
    answer = admin.post("wallets/credit", {**BODY, "expires_at": ends})
    assert (answer.status, answer.error["details"]["field"]) == (422, "expires_at")
    assert world.wallet().balance == nano(1000)


def test_no_wallet_grows_beyond_its_bound(world: World) -> None:
    platform = world.callers["platform"]
    body = {"amount": 10_000_000, "description": "x", "organization_id": world.acme.public_id}
    factories.fund(world.wallet(), 4_000_000_000 - 1000 - 5_000_000)
    answer = platform.post("wallets/credit", body)
    assert (answer.status, answer.error["code"]) == (422, "balance_limit")
    assert world.wallet().balance == nano(4_000_000_000 - 5_000_000)
