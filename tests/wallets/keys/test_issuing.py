"""Making credentials: what they look like, what is kept, and who may make which."""

import dataclasses
import hashlib
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from tests import factories
from tests.wallets.conftest import Company
from wallets import keys, revisions, tenancy
from wallets.errors import Conflict, Forbidden, InvalidInput, Refused
from wallets.models import ApiToken, AuditRecord, GatewayKey
from wallets.tenancy import Actor


def issue(company: Company, by: str = "admin", **more: object) -> tuple[ApiToken, str]:
    """A token of one person of the company for themself."""
    values = {"actor": company.actor(by), "owner": getattr(company, by), "role": "member"}
    return keys.issue_api_token(organization=company.organization, **{**values, **more})


def test_a_secret_is_random_and_only_its_digest_is_kept(acme: Company) -> None:
    token, secret = issue(acme)
    other = issue(acme)[1]
    assert re.fullmatch(r"kt_live_[0-9a-f]{48}", secret)
    assert secret != other
    assert token.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert token.prefix == secret[:14]
    row = ApiToken.objects.filter(pk=token.pk).values().get()
    record = AuditRecord.objects.filter(target=token.public_id).get()
    assert secret not in f"{row}{record.before}{record.after}"


def test_a_token_is_announced_to_the_gateways(acme: Company) -> None:
    before = revisions.current()
    issue(acme)
    assert revisions.current() == before + 1


def test_nobody_makes_a_token_in_the_name_of_another_person(acme: Company) -> None:
    for actor in (acme.actor("admin"), acme.actor("member")):
        with pytest.raises(Refused):
            issue(acme, actor=actor, owner=acme.lead)
    assert not ApiToken.objects.exists()


def test_not_even_the_platform_makes_a_token_in_the_name_of_a_person(
    acme: Company, platform: Actor
) -> None:
    with pytest.raises(Forbidden) as refused:
        issue(acme, actor=platform, owner=acme.admin)
    assert refused.value.code == "not_yours"


def test_a_member_makes_no_admin_token(acme: Company) -> None:
    with pytest.raises(Forbidden) as refused:
        issue(acme, "member", role="admin")
    assert refused.value.code == "rights_exceeded"
    assert not ApiToken.objects.exists()


def test_a_narrow_token_makes_no_wider_one(acme: Company) -> None:
    narrow = dataclasses.replace(
        acme.actor("admin"), scopes=frozenset({"tokens.manage", "wallets.read"})
    )
    for scopes in ((), ("wallets.*",), ("events.read",)):
        with pytest.raises(Forbidden):
            issue(acme, actor=narrow, scopes=scopes)
    token, _ = issue(acme, actor=narrow, scopes=("wallets.read",))
    assert token.scopes == ["wallets.read"]


def test_an_auditors_token_makes_no_token(acme: Company) -> None:
    with pytest.raises(Forbidden):
        issue(acme, "auditor", role="member")


def test_a_platform_administrator_makes_a_platform_token(
    acme: Company, globex: Company, platform: Actor
) -> None:
    token, _ = issue(acme, actor=platform, owner=platform.user, scopes=("platform",))
    assert tenancy.of_token(token).belongs_to(globex.organization)


def test_an_archived_team_gets_no_personal_key(acme: Company) -> None:
    acme.team.archived_at = timezone.now()
    with pytest.raises(Conflict):
        keys.issue_user_key(actor=acme.actor("member"), team=acme.team, user=acme.member)
    assert not GatewayKey.objects.exists()


def test_only_the_platform_makes_platform_tokens(acme: Company) -> None:
    with pytest.raises(Forbidden):
        issue(acme, scopes=("platform",))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "root"),
        ("scopes", ("everything",)),
        ("expires_at", timezone.now() - timedelta(seconds=1)),
        ("name", "x" * 201),
    ],
)
def test_what_cannot_be_used_is_named(acme: Company, field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        issue(acme, **{field: value})
    assert refused.value.field == field
    assert not ApiToken.objects.exists()


def test_an_admin_makes_a_token_of_a_service_account(acme: Company) -> None:
    account = factories.make_service_account(acme.organization, role="auditor")
    token, secret = issue(acme, owner=account, role="auditor")
    assert (token.service_account, token.user) == (account, None)
    assert keys.authenticate(secret) == token


def test_a_token_has_no_more_rights_than_its_service_account(acme: Company) -> None:
    account = factories.make_service_account(acme.organization, role="auditor")
    with pytest.raises(InvalidInput) as refused:
        issue(acme, owner=account, role="billing_admin")
    assert refused.value.field == "role"


def test_a_service_account_of_another_organization_is_refused(
    acme: Company, globex: Company
) -> None:
    account = factories.make_service_account(globex.organization)
    with pytest.raises(InvalidInput):
        issue(acme, owner=account)


def test_a_disabled_service_account_gets_no_token(acme: Company) -> None:
    account = factories.make_service_account(acme.organization)
    account.disabled_at = timezone.now()
    account.save()
    with pytest.raises(Conflict):
        issue(acme, owner=account)


def test_a_lead_makes_a_key_of_a_consumer_group(acme: Company) -> None:
    group = factories.make_consumer_group(acme.team)
    key, secret = keys.issue_group_key(
        actor=acme.actor("lead"),
        group=group,
        name="ci",
        allowed_models=["gpt-4o-mini"],
        default_tags={"project": "x"},
    )
    assert re.fullmatch(r"kt_cg_[0-9a-f]{48}", secret)
    assert key.digest == keys.digest(secret)
    assert (key.consumer_group, key.team, key.user) == (group, acme.team, None)
    assert (key.allowed_models, key.default_tags) == (["gpt-4o-mini"], {"project": "x"})
    assert key.created_by == acme.lead.public_id


def test_a_member_makes_no_group_key(acme: Company) -> None:
    group = factories.make_consumer_group(acme.team)
    with pytest.raises(Forbidden):
        keys.issue_group_key(actor=acme.actor("member"), group=group)
    assert not GatewayKey.objects.exists()


def test_an_archived_group_gets_no_key(acme: Company) -> None:
    group = factories.make_consumer_group(acme.team)
    group.archived_at = timezone.now()
    group.save()
    with pytest.raises(Conflict):
        keys.issue_group_key(actor=acme.actor("admin"), group=group)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allowed_models", ["m"] * 101),
        ("allowed_models", [""]),
        ("allowed_models", []),
        ("allowed_models", [7]),
        ("default_tags", {"project": "x" * 121}),
    ],
)
def test_models_and_tags_are_short_texts(acme: Company, field: str, value: object) -> None:
    group = factories.make_consumer_group(acme.team)
    with pytest.raises(InvalidInput) as refused:
        keys.issue_group_key(actor=acme.actor("admin"), group=group, **{field: value})
    assert refused.value.field == field


def test_a_member_makes_their_own_personal_key(acme: Company) -> None:
    key, secret = keys.issue_user_key(actor=acme.actor("member"), team=acme.team, user=acme.member)
    assert re.fullmatch(r"kt_user_[0-9a-f]{48}", secret)
    assert (key.user, key.team, key.consumer_group) == (acme.member, acme.team, None)


@pytest.mark.parametrize("name", ["admin", "lead", "colleague"])
def test_nobody_else_makes_a_personal_key(acme: Company, name: str) -> None:
    with pytest.raises(Refused):
        keys.issue_user_key(actor=acme.actor(name), team=acme.team, user=acme.member)
    assert not GatewayKey.objects.exists()


def test_a_personal_key_needs_membership_of_the_team(acme: Company) -> None:
    with pytest.raises(Refused):
        keys.issue_user_key(actor=acme.actor("member"), team=acme.other_team, user=acme.member)
    assert not GatewayKey.objects.exists()
