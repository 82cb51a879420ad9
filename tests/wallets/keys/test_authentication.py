"""From a secret to its token."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from tests import factories
from tests.wallets.conftest import Company
from wallets import keys
from wallets.models import ApiToken, Membership, Organization, User


@pytest.mark.parametrize(
    "secret", ["", "kt_live_", "kt_live_0000", "kt_cg_1", "kt_live_" + "a" * 10_000, "kt_live_é"]
)
def test_nonsense_is_nobody(acme: Company, secret: str) -> None:
    factories.make_token(acme.organization)
    assert keys.authenticate(secret) is None


def test_a_part_of_a_secret_is_nobody(acme: Company) -> None:
    issued = factories.make_token(acme.organization)
    assert keys.authenticate(issued.secret[:-1]) is None
    assert keys.authenticate(issued.secret + "0") is None


def test_a_gateway_key_is_no_api_token(acme: Company) -> None:
    key = factories.make_personal_key(acme.team, acme.member)
    assert keys.authenticate(key.secret) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"revoked_at": timezone.now()},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
    ],
)
def test_an_ended_token_is_nobody(acme: Company, fields: dict[str, object]) -> None:
    issued = factories.make_token(acme.organization, **fields)
    assert keys.authenticate(issued.secret) is None


def test_the_token_of_somebody_who_left_is_nobody(acme: Company) -> None:
    issued = factories.make_token(acme.organization, acme.member, role="member")
    Membership.objects.filter(user=acme.member).delete()
    assert keys.authenticate(issued.secret) is None


def test_the_token_of_somebody_inactive_is_nobody(acme: Company) -> None:
    issued = factories.make_token(acme.organization, acme.member, role="member")
    User.objects.filter(pk=acme.member.pk).update(is_active=False)
    assert keys.authenticate(issued.secret) is None


def test_a_token_of_a_closed_organization_is_nobody(acme: Company) -> None:
    issued = factories.make_token(acme.organization)
    Organization.objects.update(status="closed")
    assert keys.authenticate(issued.secret) is None


def test_use_is_noted_at_most_once_a_minute(acme: Company) -> None:
    issued = factories.make_token(acme.organization)

    def last_used() -> object:
        return ApiToken.objects.get().last_used_at

    with time_machine.travel("2026-05-01T12:00:00Z", tick=False) as clock:
        start = timezone.now()
        keys.authenticate(issued.secret)
        assert last_used() == start
        clock.shift(59)
        keys.authenticate(issued.secret)
        assert last_used() == start
        clock.shift(1)
        keys.authenticate(issued.secret)
        assert last_used() == start + timedelta(minutes=1)
