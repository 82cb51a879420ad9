"""Lists and pages show the money first, in dollars, and say who did what."""

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gateway.models import DecisionEvent, ModelPrice
from tests import factories
from tests.wallets.admin.confirming import confirm, page, shown
from tests.wallets.admin.conftest import SignIn, fill
from tests.wallets.admin.test_pages import address
from tests.wallets.conftest import Company
from wallets.models import Entry, Limit, Organization, Reservation, Stop, User, Wallet

PRICE = {
    "provider": "openai",
    "model": "gpt-x",
    "input_cost_per_1k_tokens": "0.0001",
    "output_cost_per_1k_tokens": "0.0006",
}


def columns(answer: HttpResponse) -> list[str]:
    """The names of the columns of a list, in order."""
    return [
        column if isinstance(column, str) else column.__name__
        for column in answer.context["cl"].list_display
        if column != "action_checkbox"
    ]


def labels(answer: HttpResponse) -> list[str]:
    """The rows of a page, in order, up to the first section with a name."""
    first = next(iter(answer.context["adminform"]))
    return [field.field["label"] for line in first for field in line]


def test_events_begin_with_what_leads_on_and_the_money(acme: Company, sign_in: SignIn) -> None:
    fill(acme)
    seen = columns(sign_in(acme.billing).get(address(DecisionEvent, "changelist")))
    assert seen[:6] == [
        *("request", "created_at_time", "consumer_group", "model", "verdict", "cost_dollars"),
    ]


@pytest.mark.parametrize("model", [DecisionEvent, Entry, Wallet, Limit, Stop])
def test_the_organization_is_shown_to_who_sees_several(
    root: Client, acme: Company, sign_in: SignIn, model: type
) -> None:
    url = address(model, "changelist")
    assert "organization" in columns(root.get(url))
    assert "organization" not in columns(sign_in(acme.billing).get(url))


def test_the_ledger_shows_amount_balance_and_reference(acme: Company, sign_in: SignIn) -> None:
    seen = columns(sign_in(acme.billing).get(address(Entry, "changelist")))
    assert seen == [
        *("created_at_time", "wallet", "type", "amount_dollars", "balance_after_dollars"),
        *("about", "actor_person", "notes"),
    ]


def test_wallets_show_name_and_balance_first(acme: Company, sign_in: SignIn) -> None:
    seen = columns(sign_in(acme.billing).get(address(Wallet, "changelist")))
    assert seen[:2] == ["name", "balance_dollars"]


def test_the_page_of_a_wallet_begins_with_its_money(acme: Company, sign_in: SignIn) -> None:
    wallet = factories.team_wallet(acme.team)
    answer = sign_in(acme.billing).get(address(Wallet, "change", wallet.pk))
    assert labels(answer) == [
        *("Name", "balance (available)", "held", "owed", "total allocated", "total spent"),
        *("status", "ledger"),
    ]
    html = answer.content.decode()
    assert "$10.00" in html
    assert "Healthy" in html
    assert "funded balance" not in html.lower()


def test_the_page_of_a_wallet_leads_to_its_entries(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    url = f"{address(Entry, 'changelist')}?wallet__id__exact={wallet.pk}"
    assert url in client.get(address(Wallet, "change", wallet.pk)).content.decode()
    rows = client.get(url).context["cl"].result_list
    assert {row.wallet_id for row in rows} == {wallet.pk}


@pytest.mark.parametrize("words", ["engineering", "Engin"])
def test_entries_are_found_by_the_name_of_their_wallet(
    acme: Company, sign_in: SignIn, words: str
) -> None:
    answer = sign_in(acme.billing).get(address(Entry, "changelist"), {"q": words})
    found = {row.wallet.name for row in answer.context["cl"].result_list}
    assert found == {"Engineering"}


def test_a_search_by_name_stays_inside_the_organization(
    acme: Company, globex: Company, sign_in: SignIn
) -> None:
    answer = sign_in(acme.billing).get(address(Entry, "changelist"), {"q": "engineering"})
    assert {row.organization_id for row in answer.context["cl"].result_list} == {
        acme.organization.pk
    }


def test_the_page_of_an_entry_says_what_it_was_for(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    entry = wallet.entries.get(type="allocation_in")
    answer = client.get(address(Entry, "change", entry.pk))
    assert labels(answer)[:6] == [
        *("time", "wallet", "type", "amount", "balance after", "reference"),
    ]
    assert "Allocation, from Acme" in answer.content.decode()
    charge = factories.settle(factories.hold(wallet, 2), 1)
    Reservation.objects.filter(pk=charge.pk).update(request_id="req_known")
    settled = wallet.entries.get(type="settle")
    assert "req_known" in client.get(address(Entry, "change", settled.pk)).content.decode()


def test_actors_are_named_with_one_statement(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    for _ in range(3):
        confirm(
            client, page(wallet, "allocate"), source=wallet.parent_id, amount="1", notes="again"
        )
    with CaptureQueriesContext(connection) as asked:
        html = client.get(address(Entry, "changelist")).content.decode()
    named = f'{acme.billing.username} <span class="id">{acme.billing.public_id}</span>'
    assert html.count(named) == 6
    people = User._meta.db_table
    assert len([1 for q in asked if f'FROM "{people}"' in q["sql"] and " IN (" in q["sql"]]) == 1


def test_people_of_other_organizations_are_not_named(
    root: Client, acme: Company, sign_in: SignIn
) -> None:
    wallet = factories.organization_wallet(acme.organization)
    confirm(root, page(wallet, "credit"), amount="1", notes="x")
    credited = Entry.objects.latest("pk").actor
    html = sign_in(acme.billing).get(address(Entry, "changelist")).content.decode()
    assert credited in html
    assert 'root <span class="id">' not in html


def test_the_page_of_a_price_shows_dollars(root: Client, acme: Company) -> None:
    confirm(root, page(ModelPrice, "set-price"), **PRICE)
    price = ModelPrice.objects.get()
    html = root.get(address(ModelPrice, "change", price.pk)).content.decode()
    assert "$0.0001" in html
    assert "Input / 1K tokens" in html
    assert "100000000" not in html


def test_a_price_is_previewed_with_the_one_before(root: Client, acme: Company) -> None:
    confirm(root, page(ModelPrice, "set-price"), **PRICE)
    lines = shown(root, page(ModelPrice, "set-price"), **PRICE | {"input_cost_per_1k_tokens": "2"})
    assert ("Input per 1K tokens", "$0.0001", "$2") in lines
    assert ("Output per 1K tokens", "$0.0006", "$0.0006") in lines


def test_further_prices_are_read_out(root: Client, acme: Company) -> None:
    price = ModelPrice.objects.create(
        provider="p",
        model="m",
        valid_from=acme.organization.created_at,
        input=1_000_000_000,
        output=1,
        created_by="system",
        further={
            "classes": {"image_input": "2000000000"},
            "tiers": [{"start": "200000", "input": "3000000000", "output": "4000000000"}],
        },
    )
    html = root.get(address(ModelPrice, "change", price.pk)).content.decode()
    assert "image input $0.002; prompts over 200,000 tokens: input $0.003, output $0.004" in html


def test_the_index_begins_with_wallets_and_leaves_machinery_out(root: Client) -> None:
    apps = root.get(reverse("admin:index")).context["app_list"]
    names = [model["object_name"] for model in apps[0]["models"]]
    assert names[:6] == ["Wallet", "Entry", "Reservation", "Team", "User", "Membership"]
    every = {model["object_name"] for app in apps for model in app["models"]}
    assert not every & {"SolarSchedule", "ClockedSchedule", "Claim"}


def test_the_history_is_offered_to_who_may_read_it(acme: Company, sign_in: SignIn) -> None:
    wallet = factories.team_wallet(acme.team)
    url = address(Wallet, "change", wallet.pk)
    assert "historylink" in sign_in(acme.auditor).get(url).content.decode()
    assert "historylink" not in sign_in(acme.billing).get(url).content.decode()


def test_limits_and_stops_are_made_from_their_lists(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    for model, slug in ((Limit, "limit"), (Stop, "stop")):
        operations = client.get(address(model, "changelist")).context["operations"]
        assert [item["url"] for item in operations] == [page(acme.organization, slug)]
    assert not sign_in(acme.auditor).get(address(Stop, "changelist")).context["operations"]


def test_many_organizations_get_no_row_of_buttons(root: Client, acme: Company) -> None:
    for _ in range(5):
        factories.make_organization()
    assert Organization.objects.count() == 6
    assert not root.get(address(Limit, "changelist")).context["operations"]


@pytest.mark.parametrize("year", ["99999", "0", "x", "-1"])
def test_a_year_no_calendar_has_is_no_server_error(
    acme: Company, sign_in: SignIn, year: str
) -> None:
    entries = reverse("admin:wallets_entry_changelist")
    answer = sign_in(acme.admin).get(entries, {"created_at__year": year})
    assert (answer.status_code, answer.headers.get("Location")) == (302, f"{entries}?e=1")
