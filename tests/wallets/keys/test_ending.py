"""Rotation with overlap, and revocation."""

import dataclasses
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from tests import factories
from tests.wallets.conftest import Company
from wallets import keys, stops, tenancy
from wallets.errors import Conflict, Forbidden, InvalidInput, NotFound
from wallets.models import ApiToken, AuditRecord, GatewayKey, Limit


def test_a_rotated_token_works_beside_its_successor_until_the_overlap_ends(
    acme: Company,
) -> None:
    old = factories.make_token(acme.organization, acme.admin, scopes=["wallets.read"])
    with time_machine.travel("2026-05-01T12:00:00Z", tick=False) as clock:
        new, secret = keys.rotate(
            actor=acme.actor("admin"), key=old.token, overlap=timedelta(hours=1)
        )
        assert (new.role, new.scopes, new.user) == ("admin", ["wallets.read"], acme.admin)
        assert keys.authenticate(secret) == new
        assert keys.authenticate(old.secret) == old.token
        clock.shift(timedelta(hours=1))
        assert keys.authenticate(old.secret) is None
        assert keys.authenticate(secret) == new


def test_an_earlier_end_of_the_old_one_stays(acme: Company) -> None:
    end = timezone.now() + timedelta(minutes=5)
    old = factories.make_token(acme.organization, acme.admin, expires_at=end).token
    keys.rotate(actor=acme.actor("admin"), key=old, overlap=timedelta(hours=1))
    old.refresh_from_db()
    assert old.expires_at == end


def test_the_successor_of_a_gateway_key_has_its_rights_and_limits(acme: Company) -> None:
    group = factories.make_consumer_group(acme.team)
    old = factories.make_group_key(group, allowed_models=["m"], default_tags={"a": "b"}).key
    Limit.objects.create(organization=acme.organization, key=old, period="day", amount=5)
    new, secret = keys.rotate(actor=acme.actor("lead"), key=old)
    assert secret.startswith("kt_cg_")
    assert (new.allowed_models, new.default_tags, new.consumer_group) == (["m"], {"a": "b"}, group)
    assert Limit.objects.get(key=new).amount == 5


def test_a_key_is_rotated_once(acme: Company) -> None:
    token = factories.make_token(acme.organization, acme.admin).token
    keys.rotate(actor=acme.actor("admin"), key=token)
    with pytest.raises(Conflict) as refused:
        keys.rotate(actor=acme.actor("admin"), key=token)
    assert refused.value.code == "rotated"
    assert ApiToken.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"revoked_at": timezone.now()}, "revoked"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "expired"),
    ],
)
def test_an_ended_token_is_not_rotated(acme: Company, fields: dict[str, object], code: str) -> None:
    token = factories.make_token(acme.organization, acme.admin, **fields).token
    with pytest.raises(Conflict) as refused:
        keys.rotate(actor=acme.actor("admin"), key=token)
    assert refused.value.code == code


def test_a_stopped_key_does_not_escape_by_rotation(acme: Company) -> None:
    key = factories.make_personal_key(acme.team, acme.member).key
    stops.stop(
        actor=acme.actor("admin"),
        organization=acme.organization,
        scope="key",
        target=key.public_id,
    )
    with pytest.raises(Conflict) as refused:
        keys.rotate(actor=acme.actor("member"), key=key)
    assert refused.value.code == "stopped"
    assert GatewayKey.objects.count() == 1


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=31)])
def test_the_overlap_has_bounds(acme: Company, overlap: timedelta) -> None:
    token = factories.make_token(acme.organization, acme.admin).token
    with pytest.raises(InvalidInput):
        keys.rotate(actor=acme.actor("admin"), key=token, overlap=overlap)


def test_an_admin_gets_no_secret_of_a_person_by_rotation(acme: Company) -> None:
    key = factories.make_personal_key(acme.team, acme.member).key
    token = factories.make_token(acme.organization, acme.member, role="member").token
    for credential in (key, token):
        with pytest.raises(Forbidden) as refused:
            keys.rotate(actor=acme.actor("admin"), key=credential)
        assert refused.value.code == "not_yours"


def test_a_narrow_token_gets_no_wide_secret_by_rotation(acme: Company) -> None:
    wide = factories.make_token(acme.organization, acme.admin).token
    narrow = dataclasses.replace(acme.actor("admin"), scopes=frozenset({"tokens.manage"}))
    with pytest.raises(Forbidden) as refused:
        keys.rotate(actor=narrow, key=wide)
    assert refused.value.code == "rights_exceeded"


def test_a_tenant_s_token_gets_no_platform_token_by_rotation(acme: Company) -> None:
    platform = factories.make_platform_administrator()
    broad = factories.make_token(
        acme.organization, platform, role="member", scopes=["platform"]
    ).token
    narrow = factories.make_token(acme.organization, platform, role="member").token
    actor = tenancy.of_token(narrow)
    with pytest.raises(Forbidden) as refused:
        keys.rotate(actor=actor, key=broad)
    assert refused.value.code == "rights_exceeded"
    assert ApiToken.objects.count() == 2


def test_revoking_ends_a_token_at_once_and_twice_is_once(acme: Company) -> None:
    issued = factories.make_token(acme.organization, acme.member, role="member")
    first = keys.revoke(actor=acme.actor("admin"), key=issued.token)
    again = keys.revoke(actor=acme.actor("admin"), key=issued.token)
    assert keys.authenticate(issued.secret) is None
    assert first.revoked_at == again.revoked_at
    assert AuditRecord.objects.count() == 1


def test_a_lead_revokes_personal_keys_of_the_own_team(acme: Company) -> None:
    key = factories.make_personal_key(acme.team, acme.member).key
    assert keys.revoke(actor=acme.actor("lead"), key=key).revoked_at is not None


def test_a_member_revokes_their_own_and_no_other_key(acme: Company) -> None:
    own = factories.make_personal_key(acme.team, acme.member).key
    other = factories.make_personal_key(acme.team, acme.colleague).key
    assert keys.revoke(actor=acme.actor("member"), key=own).revoked_at is not None
    with pytest.raises(NotFound):
        keys.revoke(actor=acme.actor("member"), key=other)


def test_a_foreign_key_is_not_found(acme: Company, globex: Company) -> None:
    key = factories.make_personal_key(globex.team, globex.member).key
    with pytest.raises(NotFound):
        keys.revoke(actor=acme.actor("admin"), key=key)
    key.refresh_from_db()
    assert key.revoked_at is None
