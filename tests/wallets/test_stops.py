"""Stop switches."""

import pytest

from tests import factories
from tests.wallets.conftest import Company
from wallets import revisions, stops
from wallets.errors import Forbidden, InvalidInput, NotFound
from wallets.models import AuditRecord, Stop
from wallets.tenancy import Actor


def pull(company: Company, actor: Actor, scope: str, target: str, **more: object) -> Stop:
    return stops.stop(
        actor=actor, organization=company.organization, scope=scope, target=target, **more
    )


def test_a_stop_is_in_force_until_it_is_lifted(acme: Company) -> None:
    admin = acme.actor("admin")
    before = revisions.current()
    found = pull(acme, admin, "team", "team_engineering", reason="runaway")
    assert list(stops.in_force(acme.organization)) == [found]
    lifted = stops.resume(
        actor=admin, organization=acme.organization, scope="team", target="team_engineering"
    )
    assert lifted is not None
    assert (lifted.pk, lifted.lifted_by) == (found.pk, acme.admin.public_id)
    assert not stops.in_force(acme.organization).exists()
    assert revisions.current() == before + 2


def test_stopping_twice_is_one_stop(acme: Company) -> None:
    first = pull(acme, acme.actor("admin"), "model", "gpt-4o")
    second = pull(acme, acme.actor("admin"), "model", "gpt-4o")
    assert first == second
    assert AuditRecord.objects.count() == 1


def test_a_later_cut_is_added_to_the_stop(acme: Company) -> None:
    pull(acme, acme.actor("admin"), "model", "gpt-4o")
    pull(acme, acme.actor("admin"), "model", "gpt-4o", cut=True)
    assert stops.in_force(acme.organization).get().cut is True


def test_resuming_what_is_not_stopped_does_nothing(acme: Company) -> None:
    lifted = stops.resume(
        actor=acme.actor("admin"), organization=acme.organization, scope="model", target="gpt-4o"
    )
    assert lifted is None
    assert not AuditRecord.objects.exists()


def test_what_was_lifted_can_be_stopped_again(acme: Company) -> None:
    admin = acme.actor("admin")
    for _ in range(2):
        pull(acme, admin, "provider", "openai")
        stops.resume(actor=admin, organization=acme.organization, scope="provider", target="openai")
    assert Stop.objects.count() == 2


@pytest.mark.parametrize(
    ("scope", "target"), [("team", "team_none"), ("user", "user_0"), ("key", "key_0")]
)
def test_an_unknown_target_is_not_found(acme: Company, scope: str, target: str) -> None:
    with pytest.raises(NotFound):
        pull(acme, acme.actor("admin"), scope, target)
    assert not Stop.objects.exists()


def test_a_foreign_target_is_not_found(acme: Company, globex: Company) -> None:
    key = factories.make_personal_key(globex.team, globex.member).key
    for scope, target in (("key", key.public_id), ("user", globex.member.public_id)):
        with pytest.raises(NotFound):
            pull(acme, acme.actor("admin"), scope, target)


def test_only_the_organization_itself_is_stopped_as_organization(acme: Company) -> None:
    with pytest.raises(InvalidInput):
        pull(acme, acme.actor("admin"), "organization", "org_0")
    found = pull(acme, acme.actor("admin"), "organization", acme.organization.public_id)
    assert found.target == acme.organization.public_id


def test_a_lead_stops_keys_and_groups_of_the_own_team_and_no_team(acme: Company) -> None:
    lead = acme.actor("lead")
    group = factories.make_consumer_group(acme.team)
    pull(acme, lead, "consumer_group", group.public_id)
    with pytest.raises(Forbidden):
        pull(acme, lead, "team", "team_engineering")


def test_a_member_stops_their_own_key_and_nobody_elses(acme: Company) -> None:
    own = factories.make_personal_key(acme.team, acme.member).key
    other = factories.make_personal_key(acme.team, acme.colleague).key
    pull(acme, acme.actor("member"), "key", own.public_id)
    with pytest.raises(NotFound):
        pull(acme, acme.actor("member"), "key", other.public_id)
    assert stops.in_force(acme.organization).get().target == own.public_id


def test_an_auditor_stops_nothing(acme: Company) -> None:
    with pytest.raises(Forbidden):
        pull(acme, acme.actor("auditor"), "model", "gpt-4o")


def test_a_long_reason_is_refused(acme: Company) -> None:
    with pytest.raises(InvalidInput) as refused:
        pull(acme, acme.actor("admin"), "model", "gpt-4o", reason="x" * 501)
    assert refused.value.field == "reason"
    assert not Stop.objects.exists()


def test_an_unknown_scope_is_refused(acme: Company) -> None:
    with pytest.raises(InvalidInput) as refused:
        pull(acme, acme.actor("admin"), "planet", "earth")
    assert refused.value.field == "scope"
