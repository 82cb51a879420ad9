"""The platform's accounts and prices, history, exports, and how money looks."""

import csv
import io

import pytest
from django.test import Client
from django.urls import reverse

from gateway.models import ModelPrice
from keeptrusts.lib import money
from tests import factories
from tests.wallets.admin.confirming import confirm, page
from tests.wallets.admin.conftest import SignIn
from tests.wallets.admin.test_pages import address
from tests.wallets.conftest import Company
from wallets.admin.display import dollars
from wallets.admin.export import cell
from wallets.models import (
    AuditRecord,
    Entry,
    Organization,
    User,
    Wallet,
)


def test_the_platform_sets_a_price_for_everybody(root: Client, acme: Company) -> None:
    values = {
        "provider": "openai",
        "model": "gpt-x",
        "input_cost_per_1k_tokens": "0.00015",
        "output_cost_per_1k_tokens": "0.0006",
    }
    confirm(root, page(ModelPrice, "set-price"), **values)
    price = ModelPrice.objects.get()
    assert (price.organization, price.input) == (None, 150_000_000)
    assert "$0.00015" in root.get(address(ModelPrice, "changelist")).content.decode()


def test_a_self_funded_organization_prices_for_itself_only(
    acme: Company, globex: Company, sign_in: SignIn
) -> None:
    client, url = sign_in(acme.admin), page(ModelPrice, "set-price")
    assert client.get(url).status_code == 403
    Organization.objects.update(funding_mode="internal")
    choices = client.get(url).context["form"].fields["organization"]
    assert list(choices.queryset) == [acme.organization]
    assert choices.required


def test_the_platform_makes_a_superuser_who_is_staff(root: Client) -> None:
    values = {
        "username": "ada",
        "usable_password": "true",
        "password1": "correct horse battery",
        "password2": "correct horse battery",
    }
    assert root.post(address(User, "add"), values).status_code == 302
    ada = User.objects.get(username="ada")
    root.post(
        address(User, "change", ada.pk),
        {"username": "ada", "is_active": "on", "is_superuser": "on"},
    )
    ada.refresh_from_db()
    assert (ada.is_superuser, ada.is_staff) == (True, True)
    actions = list(AuditRecord.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["user.create", "user.change"]


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
