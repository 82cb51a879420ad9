"""Service accounts."""

import dataclasses

import pytest

from tests import factories
from tests.wallets.conftest import Company
from wallets import keys, people
from wallets.errors import Conflict, Forbidden, InvalidInput
from wallets.models import AuditRecord, ServiceAccount


def test_an_admin_makes_a_service_account(acme: Company) -> None:
    account = people.create_service_account(
        actor=acme.actor("admin"), organization=acme.organization, name="ci", role="auditor"
    )
    assert (account.name, account.role, account.organization) == (
        "ci",
        "auditor",
        acme.organization,
    )
    assert AuditRecord.objects.get().after == {"role": "auditor"}


def test_a_name_is_used_once(acme: Company) -> None:
    factories.make_service_account(acme.organization, "ci")
    with pytest.raises(Conflict):
        people.create_service_account(
            actor=acme.actor("admin"), organization=acme.organization, name="ci"
        )


def test_an_unknown_role_is_refused(acme: Company) -> None:
    with pytest.raises(InvalidInput):
        people.create_service_account(
            actor=acme.actor("admin"), organization=acme.organization, name="ci", role="root"
        )


@pytest.mark.parametrize("name", ["billing", "auditor", "lead", "member"])
def test_only_admins_make_service_accounts(acme: Company, name: str) -> None:
    with pytest.raises(Forbidden):
        people.create_service_account(
            actor=acme.actor(name), organization=acme.organization, name="ci"
        )
    assert not ServiceAccount.objects.exists()


def test_a_narrow_token_makes_no_admin_account(acme: Company) -> None:
    narrow = dataclasses.replace(acme.actor("admin"), scopes=frozenset({"tokens.manage"}))
    with pytest.raises(Forbidden) as refused:
        people.create_service_account(
            actor=narrow, organization=acme.organization, name="ci", role="admin"
        )
    assert refused.value.code == "rights_exceeded"
    assert not ServiceAccount.objects.exists()


def test_the_tokens_of_a_disabled_account_are_refused(acme: Company) -> None:
    account = factories.make_service_account(acme.organization)
    issued = factories.make_token(acme.organization, service_account=account, role="member")
    assert keys.authenticate(issued.secret) == issued.token
    for _ in range(2):
        people.disable_service_account(actor=acme.actor("admin"), account=account)
    assert keys.authenticate(issued.secret) is None
    assert AuditRecord.objects.count() == 1
