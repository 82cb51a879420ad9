"""Consumer groups."""

import pytest
from django.utils import timezone

from tests import factories
from tests.wallets.conftest import Company
from wallets import groups, limits, revisions, stops
from wallets.errors import Conflict, NotFound
from wallets.models import AuditRecord, ConsumerGroup


def test_a_lead_makes_a_consumer_group_of_the_own_team(acme: Company) -> None:
    before = revisions.current()
    group = groups.create_group(actor=acme.actor("lead"), team=acme.team, name=" ci ")
    assert (group.name, group.team, group.organization) == ("ci", acme.team, acme.organization)
    assert revisions.current() == before + 1
    assert AuditRecord.objects.get().target == group.public_id


def test_a_lead_makes_no_consumer_group_of_another_team(acme: Company) -> None:
    with pytest.raises(NotFound):
        groups.create_group(actor=acme.actor("lead"), team=acme.other_team, name="ci")
    assert not ConsumerGroup.objects.exists()


def test_a_name_is_used_once_in_an_organization(acme: Company, globex: Company) -> None:
    groups.create_group(actor=acme.actor("admin"), team=acme.team, name="ci")
    groups.create_group(actor=globex.actor("admin"), team=globex.team, name="ci")
    with pytest.raises(Conflict):
        groups.create_group(actor=acme.actor("admin"), team=acme.other_team, name="ci")


def test_an_archived_team_gets_no_consumer_group(acme: Company) -> None:
    acme.team.archived_at = timezone.now()
    with pytest.raises(Conflict) as refused:
        groups.create_group(actor=acme.actor("admin"), team=acme.team, name="ci")
    assert refused.value.code == "team_archived"


def test_renaming_to_the_same_is_no_change(acme: Company) -> None:
    group = factories.make_consumer_group(acme.team, "ci")
    groups.rename_group(actor=acme.actor("admin"), group=group, name="ci")
    assert not AuditRecord.objects.exists()


def test_renaming_is_written_down(acme: Company) -> None:
    group = factories.make_consumer_group(acme.team, "ci")
    groups.rename_group(actor=acme.actor("admin"), group=group, name="build")
    record = AuditRecord.objects.get()
    assert (record.before, record.after) == ({"name": "ci"}, {"name": "build"})


def test_a_stopped_group_keeps_its_name(acme: Company) -> None:
    group = factories.make_consumer_group(acme.team, "ci")
    admin = acme.actor("admin")
    where = {"organization": acme.organization, "scope": "consumer_group"}
    stops.stop(actor=admin, **where, target=group.public_id)

    with pytest.raises(Conflict) as refused:
        groups.rename_group(actor=acme.actor("lead"), group=group, name="build")
    assert refused.value.code == "group_stopped"

    stops.resume(actor=admin, **where, target=group.public_id)
    assert groups.rename_group(actor=admin, group=group, name="build").name == "build"


def test_a_limited_group_keeps_its_name(acme: Company) -> None:
    group = factories.make_consumer_group(acme.team, "ci")
    limits.set_limit(
        organization=acme.organization, consumer_group=group, period="day", amount=0, actor="test"
    )

    with pytest.raises(Conflict) as refused:
        groups.rename_group(actor=acme.actor("lead"), group=group, name="build")
    assert refused.value.code == "group_limited"
    assert ConsumerGroup.objects.get().name == "ci"


def test_an_archived_group_keeps_its_name(acme: Company) -> None:
    group = factories.make_consumer_group(acme.team, "ci")
    group = groups.archive_group(actor=acme.actor("admin"), group=group)

    with pytest.raises(Conflict) as refused:
        groups.rename_group(actor=acme.actor("admin"), group=group, name="build")
    assert refused.value.code == "group_archived"


def test_archiving_revokes_the_keys_once(acme: Company) -> None:
    group = factories.make_consumer_group(acme.team)
    key = factories.make_group_key(group).key
    admin = acme.actor("admin")
    first = groups.archive_group(actor=admin, group=group)
    again = groups.archive_group(actor=admin, group=group)
    key.refresh_from_db()
    assert key.revoked_at == first.archived_at == again.archived_at
    assert AuditRecord.objects.get().after == {"keys": [key.public_id]}
