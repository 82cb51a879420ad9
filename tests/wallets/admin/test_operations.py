"""Operations of the admin: form, before and after, confirm; each calls the one operation."""

import csv
import io
import re

import pytest
from django.contrib import admin
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from keeptrusts.lib import money
from tests import factories
from tests.wallets.admin.conftest import SignIn
from tests.wallets.admin.test_pages import address
from tests.wallets.conftest import Company
from wallets import keys
from wallets.admin.base import TenantAdmin
from wallets.admin.display import dollars
from wallets.admin.export import cell
from wallets.models import (
    ApiToken,
    AuditRecord,
    ConsumerGroup,
    Entry,
    GatewayKey,
    Limit,
    Membership,
    Organization,
    Reservation,
    ServiceAccount,
    Stop,
    Team,
    User,
    Wallet,
)


def page(row: Model | type[Model], slug: str, *more: Model) -> str:
    """The address of an operation on rows, or of one that makes a row."""
    model = row if isinstance(row, type) else type(row)
    registered = admin.site._registry[model]
    assert isinstance(registered, TenantAdmin)
    rows = () if isinstance(row, type) else (row, *more)
    return registered.operation_url(slug, [item.pk for item in rows])


def confirm(client: Client, url: str, **values: object) -> HttpResponse:
    """Fill in, look at before and after, press Confirm."""
    preview = client.post(url, values)
    assert preview.status_code == 200
    lines = preview.context.get("lines")
    assert lines, preview.context["form"].errors
    nonce = preview.context["nonce"]
    return client.post(url, {**values, "nonce": nonce, "confirmed": "Confirm"})


def shown(client: Client, url: str, **values: object) -> list[tuple[str, object, object]]:
    """The before/after table."""
    lines = client.post(url, values).context["lines"]
    return [(line.label, line.before, line.after) for _, changes in lines for line in changes]


def secret_of(answer: HttpResponse, kind: str) -> str:
    found = re.search(rf">({kind}[0-9a-f]+)<", answer.content.decode())
    assert found
    assert "no-store" in answer.headers["Cache-Control"]
    return found[1]


def test_a_credit_shows_before_and_after_and_moves_nothing_yet(root: Client, acme: Company) -> None:
    wallet = factories.organization_wallet(acme.organization)
    values = {"amount": "12.5", "notes": "goodwill"}
    lines = shown(root, page(wallet, "credit"), **values)
    assert lines[0] == ("Balance of Acme", "$100.00", "$112.50")
    assert factories.organization_wallet(acme.organization).balance == 100 * money.NANO


def test_a_confirmed_credit_is_an_entry_by_that_person(root: Client, acme: Company) -> None:
    wallet = factories.organization_wallet(acme.organization)
    answer = confirm(root, page(wallet, "credit"), amount="12.5", notes="goodwill")
    assert answer.headers["Location"] == address(Wallet, "change", wallet.pk)
    assert factories.organization_wallet(acme.organization).balance == 112_500_000_000
    entry = Entry.objects.latest("pk")
    assert (entry.type, entry.notes) == ("credit", "goodwill")
    assert entry.actor == User.objects.get(username="root").public_id


def test_confirming_twice_credits_once(root: Client, acme: Company) -> None:
    wallet = factories.organization_wallet(acme.organization)
    values = {"amount": "1", "notes": "x", "nonce": "abc", "confirmed": "Confirm"}
    for _ in range(2):
        root.post(page(wallet, "credit"), values)
    assert factories.organization_wallet(acme.organization).balance == 101 * money.NANO


def test_a_prepaid_organization_does_not_credit_itself(acme: Company, sign_in: SignIn) -> None:
    wallet = factories.organization_wallet(acme.organization)
    assert sign_in(acme.admin).get(page(wallet, "credit")).status_code == 403


def test_an_internal_organization_credits_itself(acme: Company, sign_in: SignIn) -> None:
    Organization.objects.update(funding_mode="internal")
    wallet = factories.organization_wallet(acme.organization)
    confirm(sign_in(acme.billing), page(wallet, "credit"), amount="3", notes="budget")
    assert factories.organization_wallet(acme.organization).balance == 103 * money.NANO


@pytest.mark.parametrize("amount", ["NaN", "1e400", "-1", "0", "0.0000000001", "9" * 30, "12,5"])
def test_an_amount_that_is_no_money_is_refused(root: Client, acme: Company, amount: str) -> None:
    wallet = factories.organization_wallet(acme.organization)
    answer = root.post(
        page(wallet, "credit"), {"amount": amount, "notes": "x", "confirmed": "Confirm"}
    )
    assert "amount" in answer.context["form"].errors
    assert factories.organization_wallet(acme.organization).balance == 100 * money.NANO


def test_allocating_shows_both_wallets_and_moves_the_money(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    values = {"source": wallet.parent_id, "amount": "40", "notes": "May"}
    assert shown(client, page(wallet, "allocate"), **values)[:2] == [
        ("Balance of Acme", "$100.00", "$60.00"),
        ("Balance of Engineering", "$10.00", "$50.00"),
    ]
    confirm(client, page(wallet, "allocate"), **values)
    assert factories.team_wallet(acme.team).balance == 50 * money.NANO


def test_a_refused_allocation_is_told_and_changes_nothing(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    answer = confirm(client, page(wallet, "allocate"), source=wallet.parent_id, amount="100.01")
    assert answer.status_code == 200
    assert answer.context["form"].non_field_errors()
    assert factories.team_wallet(acme.team).balance == 10 * money.NANO


def test_reclaiming_without_an_amount_takes_all(acme: Company, sign_in: SignIn) -> None:
    wallet = factories.team_wallet(acme.team)
    confirm(sign_in(acme.billing), page(wallet, "reclaim"))
    assert factories.team_wallet(acme.team).balance == 0
    assert factories.organization_wallet(acme.organization).balance == 110 * money.NANO


def test_several_wallets_are_frozen_from_the_list(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.billing)
    wallets = [factories.team_wallet(team) for team in (acme.team, acme.other_team)]
    answer = client.post(
        address(Wallet, "changelist"),
        {"action": "freeze", "_selected_action": [wallet.pk for wallet in wallets]},
    )
    confirm(client, answer.headers["Location"], reason="audit")
    assert Wallet.objects.filter(frozen=True).count() == 2
    confirm(client, page(wallets[0], "unfreeze"), reason="")
    assert Wallet.objects.filter(frozen=True).count() == 1


def test_what_changes_nothing_is_not_offered_and_not_done(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    labels = [
        item["label"]
        for item in client.get(address(Wallet, "change", wallet.pk)).context["operations"]
    ]
    assert labels == ["Allocate", "Reclaim", "Freeze", "Change draws", "Change low balance"]
    assert client.get(page(wallet, "unfreeze")).status_code == 302


def test_a_charge_is_adjusted(acme: Company, sign_in: SignIn) -> None:
    charge = factories.settle(factories.hold(factories.team_wallet(acme.team), 2), 2)
    client = sign_in(acme.billing)
    values = {"amount": "0.5", "notes": "counted twice"}
    assert shown(client, page(charge, "adjust"), **values)[0] == ("Charge", "$2.00", "$1.50")
    confirm(client, page(charge, "adjust"), **values)
    assert factories.team_wallet(acme.team).balance == 8_500_000_000
    assert Reservation.objects.get(pk=charge.pk).adjusted == -500_000_000


def test_a_group_key_is_shown_once(acme: Company, sign_in: SignIn) -> None:
    group = factories.make_consumer_group(acme.team)
    client = sign_in(acme.admin)
    answer = confirm(client, page(group, "issue-key"), name="ci", allowed_models="a, b")
    secret = secret_of(answer, "kt_cg_")
    key = GatewayKey.objects.get(digest=keys.digest(secret))
    assert (key.consumer_group, key.allowed_models) == (group, ["a", "b"])
    for url in (address(GatewayKey, "changelist"), address(GatewayKey, "change", key.pk)):
        html = client.get(url).content.decode()
        assert secret not in html
        assert key.digest not in html


def test_a_token_of_a_service_account_is_made_rotated_and_revoked(
    acme: Company, sign_in: SignIn
) -> None:
    client = sign_in(acme.admin)
    account = factories.make_service_account(acme.organization, role="auditor")
    first = secret_of(
        confirm(client, page(account, "issue-token"), role="auditor", scopes="*.read"), "kt_live_"
    )
    token = keys.authenticate(first)
    assert token is not None
    assert token.scopes == ["*.read"]
    second = secret_of(confirm(client, page(token, "rotate"), hours="0"), "kt_live_")
    assert keys.authenticate(first) is None
    successor = keys.authenticate(second)
    assert successor is not None
    confirm(client, page(successor, "revoke"))
    assert keys.authenticate(second) is None


def test_an_admin_makes_a_token_for_themself(acme: Company, sign_in: SignIn) -> None:
    answer = confirm(
        sign_in(acme.admin), page(acme.organization, "own-token"), role="billing_admin"
    )
    token = keys.authenticate(secret_of(answer, "kt_live_"))
    assert token is not None
    assert (token.user, token.role) == (acme.admin, "billing_admin")


def test_a_role_beyond_the_own_is_refused(acme: Company, sign_in: SignIn) -> None:
    answer = sign_in(acme.billing).get(page(acme.organization, "own-token"))
    assert answer.status_code == 200
    answer = confirm(sign_in(acme.billing), page(acme.organization, "own-token"), role="admin")
    assert answer.context["form"].non_field_errors()
    assert not ApiToken.objects.exists()


def test_the_platform_makes_an_organization(root: Client) -> None:
    answer = confirm(
        root,
        page(Organization, "create"),
        slug="initech",
        name="Initech",
        time_zone="UTC",
        funding_mode="prepaid",
    )
    assert answer.headers["Location"] == address(Organization, "changelist")
    assert Wallet.objects.get(organization__slug="initech").balance == 0


def test_an_admin_sees_no_funding_settings(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    form = client.get(page(acme.organization, "change")).context["form"]
    assert list(form.fields) == ["name", "time_zone"]
    confirm(client, page(acme.organization, "change"), name="Acme Ltd", time_zone="UTC")
    assert Organization.objects.get().name == "Acme Ltd"


def test_the_platform_changes_funding(root: Client, acme: Company) -> None:
    values = {
        "name": "Acme",
        "time_zone": "UTC",
        "status": "active",
        "funding_mode": "internal",
        "monthly_credit_limit": "250",
    }
    lines = shown(root, page(acme.organization, "change"), **values)
    assert ("Monthly credit limit", "–", "$250.00") in lines
    confirm(root, page(acme.organization, "change"), **values)
    assert Organization.objects.get().monthly_credit_limit == 250 * money.NANO


def test_a_team_is_made_only_with_the_switch_chosen(acme: Company, sign_in: SignIn) -> None:
    client, url = sign_in(acme.admin), page(acme.organization, "create-team")
    refused = client.post(url, {"slug": "ops", "name": "Ops"})
    assert "draws_on_organization" in refused.context["form"].errors
    confirm(client, url, slug="ops", name="Ops", draws_on_organization="no")
    assert Wallet.objects.get(team__slug="ops").draws_on_parent is False


def test_a_person_gets_a_first_password_that_works(
    acme: Company, sign_in: SignIn, client: Client
) -> None:
    answer = confirm(
        sign_in(acme.admin),
        page(acme.organization, "create-person"),
        username="ada",
        email="ada@example.com",
        role="auditor",
    )
    found = re.search(r'class="secret">([^<]+)<', answer.content.decode())
    assert found
    assert User.objects.get(username="ada").check_password(found[1])


def test_a_member_changes_role_and_leaves(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    membership = Membership.objects.get(user=acme.member)
    confirm(client, page(membership, "role"), role="auditor")
    membership.refresh_from_db()
    assert membership.role == "auditor"
    answer = confirm(client, page(membership, "remove"))
    assert answer.headers["Location"] == address(Membership, "changelist")
    assert not Membership.objects.filter(user=acme.member).exists()


def test_the_last_admin_is_told_to_stay(acme: Company, sign_in: SignIn) -> None:
    membership = Membership.objects.get(user=acme.admin)
    answer = confirm(sign_in(acme.admin), page(membership, "remove"))
    assert "last admin" in str(answer.context["form"].non_field_errors())


def test_a_limit_is_set_and_removed(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    confirm(client, page(acme.team, "limit"), period="day", amount="5")
    limit = Limit.objects.get(team=acme.team)
    assert limit.amount == 5 * money.NANO
    lines = shown(client, page(acme.team, "limit"), period="day", amount="0")
    assert lines == [("Daily", "$5.00", "$0.00")]
    confirm(client, page(limit, "remove"))
    assert not Limit.objects.exists()


def test_something_is_stopped_and_resumed(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    confirm(client, page(acme.organization, "stop"), scope="model", target="gpt-4o")
    stop = Stop.objects.get()
    assert stop.lifted_at is None
    confirm(client, page(stop, "resume"))
    assert Stop.objects.get().lifted_at is not None


def test_a_team_gets_people_wallets_groups_and_a_cost_centre(
    acme: Company, sign_in: SignIn
) -> None:
    client = sign_in(acme.admin)
    confirm(client, page(acme.other_team, "add-member"), user=acme.member.pk, role="lead")
    confirm(client, page(acme.other_team, "user-wallet"), user=acme.member.pk)
    confirm(client, page(acme.other_team, "create-group"), name="bots")
    confirm(client, page(acme.other_team, "cost-centre"), code="CC-7", valid_from="2026-01-01")
    confirm(client, page(acme.other_team, "rename"), name="Helpers")
    team = Team.objects.get(pk=acme.other_team.pk)
    assert team.name == "Helpers"
    assert team.memberships.get(user=acme.member).role == "lead"
    assert Wallet.objects.get(team=team, user=acme.member).draws_on_parent is False
    assert ConsumerGroup.objects.get(team=team).name == "bots"
    assert team.cost_centres.get().code == "CC-7"
    confirm(client, page(team, "archive"))
    assert Team.objects.get(pk=team.pk).archived_at is not None


def test_an_account_is_disabled(acme: Company, sign_in: SignIn) -> None:
    account = factories.make_service_account(acme.organization)
    confirm(sign_in(acme.admin), page(account, "disable"))
    assert ServiceAccount.objects.get().disabled_at is not None


def test_history_is_the_audit_log_of_the_row(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    wallet = factories.team_wallet(acme.team)
    confirm(client, page(wallet, "freeze"), reason="x")
    for person, count in ((acme.auditor, 1), (acme.billing, 0)):
        answer = sign_in(person).get(address(Wallet, "history", wallet.pk))
        assert len(answer.context["records"]) == count


def test_the_platforms_change_of_a_person_is_written_down(root: Client, acme: Company) -> None:
    root.post(
        address(User, "change", acme.member.pk),
        {"username": "acme-member", "email": "new@example.com"},
    )
    record = AuditRecord.objects.get()
    assert record.action == "user.change"
    assert record.before == {"is_active": True, "is_superuser": False}
    assert record.after["is_active"] is False
    assert "new@example.com" not in str(record.after)


def test_a_new_password_is_written_down_as_a_fact(root: Client, acme: Company) -> None:
    url = reverse("admin:auth_user_password_change", args=[acme.member.pk])
    password = "correct horse battery"
    values = {"usable_password": "true", "password1": password, "password2": password}
    assert root.post(url, values).status_code == 302
    assert User.objects.get(pk=acme.member.pk).check_password(password)
    record = AuditRecord.objects.get()
    assert (record.action, record.after) == ("user.password", None)


def test_an_organization_sets_no_password(acme: Company, sign_in: SignIn) -> None:
    url = reverse("admin:auth_user_password_change", args=[acme.member.pk])
    assert sign_in(acme.admin).get(url).status_code == 403


def test_an_export_is_streamed_and_written_down(acme: Company, sign_in: SignIn) -> None:
    wallet = factories.team_wallet(acme.team)
    entries = list(wallet.entries.values_list("pk", flat=True))
    answer = sign_in(acme.auditor).post(
        address(Entry, "changelist"), {"action": "export_csv", "_selected_action": entries}
    )
    assert answer.streaming
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert [(row["wallet"], row["amount"]) for row in rows] == [(wallet.public_id, "10")]
    record = AuditRecord.objects.get()
    assert (record.action, record.actor) == ("export.csv", acme.auditor.public_id)


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_text_is_no_formula_in_a_spreadsheet(start: str) -> None:
    assert cell(f"{start}1+1") == f"'{start}1+1"
    assert cell(-1) == -1


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (None, "–"),
        (17_100, "$0.0000171"),
        (1_234_500_000_000, "$1,234.50"),
        (-500_000_000, "-$0.50"),
        (3 * money.NANO, "$3.00"),
    ],
)
def test_dollars_are_exact(amount: int | None, text: str) -> None:
    assert dollars(amount) == text
