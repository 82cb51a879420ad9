"""Rows of every model in two organisations, and browsers of everybody."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from gateway.models import (
    CacheGeneration,
    DecisionEvent,
    HistoryText,
    IdempotentCall,
    ModelPrice,
    WrittenOff,
)
from keeptrusts.lib import ids
from tests import factories
from tests.wallets.conftest import Company
from wallets import audit
from wallets.models import (
    Claim,
    CostCentre,
    CreditLot,
    DeadLetter,
    Limit,
    LimitCounter,
    LotPosition,
    Membership,
    Revision,
    Stop,
    TeamMembership,
    User,
    Waiter,
)

SignIn = Callable[[User], Client]


@pytest.fixture
def sign_in() -> SignIn:
    """A client signed in as somebody."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return signed_in


@pytest.fixture
def root(db: None, sign_in: SignIn) -> Client:
    """The browser of a platform administrator."""
    return sign_in(factories.make_platform_administrator("root"))


def fill(company: Company) -> dict[type[Model], Model]:
    """One row of every model with rows of organisations; the model is the key."""
    organization, team = company.organization, company.team
    wallet = factories.organization_wallet(organization)
    group = factories.make_consumer_group(team)
    key = factories.make_group_key(group, name=f"{organization.slug}-key").key
    charge = factories.settle(factories.hold(factories.team_wallet(team), 2), 1)
    rows: list[Model] = [
        *(organization, team, company.member, group, key, charge),
        factories.team_wallet(team),
        factories.team_wallet(team).entries.latest("seq"),
        factories.make_token(organization, company.admin).token,
        factories.make_service_account(organization),
        Membership.objects.get(user=company.member),
        TeamMembership.objects.get(user=company.member),
        CostCentre.objects.create(team=team, code=organization.slug, valid_from=date(2026, 1, 1)),
        Limit.objects.create(organization=organization, key=key, period="day", amount=1),
        LimitCounter.objects.create(
            key=f"{organization.slug}:day",
            organization_id=organization.pk,
            period_start=timezone.now(),
        ),
        Stop.objects.create(
            organization=organization,
            scope="model",
            target=f"{organization.slug}-model",
            created_by=company.admin.public_id,
        ),
        audit.record(
            organization=organization, actor="system", action="a.b", target=organization.slug
        ),
        CreditLot.objects.create(
            organization=organization,
            wallet=wallet,
            seq=1,
            amount=1,
            expires_at=timezone.now() + timedelta(days=9),
        ),
        LotPosition.objects.create(wallet=wallet),
        factories.make_ticket(factories.team_wallet(team)),
        factories.make_crossing(team),
        CacheGeneration.objects.create(organization=organization, number=1),
        DecisionEvent.objects.create(
            id=ids.public_id("req"),
            organization=organization,
            wallet=wallet,
            consumer_group_name=organization.slug,
            route="/v1/chat/completions",
            verdict="allow",
            status=200,
            cost=17_100,
            created_at=timezone.now(),
        ),
        ModelPrice.objects.create(
            organization=organization,
            provider="openai",
            model=f"{organization.slug}-model",
            valid_from=timezone.now(),
            input=1,
            output=1,
            created_by="system",
        ),
    ]
    return {type(row): row for row in rows}


def fill_platform(company: Company) -> None:
    """One row of every model that only platform administrators see."""
    Claim.objects.create(
        key=f"{company.organization.slug}-claim",
        organization=company.organization,
        fingerprint="0",
        created_at=timezone.now(),
    )
    DeadLetter.objects.create(operation="Settle", payload="{}", error="broken")
    Revision.objects.get_or_create(pk=1)
    now = timezone.now()
    HistoryText.objects.create(
        event_id=ids.public_id("req"), organization=company.organization, sealed=b"sealed",
        created_at=now, expires_at=now,
    )  # fmt: skip
    IdempotentCall.objects.create(
        key=f"{company.organization.slug}-call", organization=company.organization,
        fingerprint="0", request_id="req_x", lease_until=now, created_at=now, expires_at=now,
    )  # fmt: skip
    WrittenOff.objects.create(organization=company.organization, team_id=1, on=now.date())
    Waiter.objects.create(
        id=ids.uuid7(), organization=company.organization, amount=1, reason="contention",
        wallet=factories.organization_wallet(company.organization), since=now,
        lease_until=now - timedelta(days=1),
    )  # fmt: skip
