"""Nothing of one organisation is seen, chosen or changed by the staff of another."""

from dataclasses import dataclass

import pytest
from django.contrib import admin
from django.db.models import ForeignKey, Model
from django.test import Client, RequestFactory
from django.urls import reverse

from gateway.models import DecisionEvent, ModelPrice
from tests.wallets.admin.conftest import SignIn, fill, fill_platform
from tests.wallets.admin.test_pages import OURS, address
from tests.wallets.conftest import Company
from wallets.admin.base import PlatformAdmin, TenantAdmin
from wallets.models import (
    ApiToken,
    AuditRecord,
    ConsumerGroup,
    Entry,
    GatewayKey,
    ServiceAccount,
    Team,
    User,
    Wallet,
)

PLATFORM = [m for m in OURS if isinstance(admin.site._registry[m], PlatformAdmin)]
TENANT = [m for m in OURS if m not in PLATFORM]
NOT_BILLINGS = {AuditRecord, ApiToken, ConsumerGroup, GatewayKey, ServiceAccount}
by_label = pytest.mark.parametrize("model", TENANT, ids=lambda model: model._meta.label)


@dataclass
class Two:
    """Two organisations, each with a row of every model, and the browser of acme's admin."""

    acme: Company
    own: dict[type[Model], Model]
    foreign: dict[type[Model], Model]
    admin: Client


@pytest.fixture
def two(acme: Company, globex: Company, sign_in: SignIn) -> Two:
    """Both filled."""
    own, foreign = fill(acme), fill(globex)
    fill_platform(globex)
    return Two(acme, own, foreign, sign_in(acme.admin))


def test_the_matrix_covers_every_model(two: Two) -> None:
    assert set(two.own) == set(two.foreign) == set(TENANT)


@by_label
def test_a_list_shows_the_own_rows_only(two: Two, model: type[Model]) -> None:
    answer = two.admin.get(address(model, "changelist"))
    assert answer.status_code == 200
    shown = set(answer.context["cl"].queryset.values_list("pk", flat=True))
    assert two.own[model].pk in shown
    assert two.foreign[model].pk not in shown
    assert "globex" not in answer.content.decode().lower()


@by_label
@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_a_foreign_row_answers_as_an_unknown_one(two: Two, model: type[Model], page: str) -> None:
    foreign = two.admin.get(address(model, page, two.foreign[model].pk))
    unknown = two.admin.get(address(model, page, _unknown(model)))
    assert foreign.status_code == unknown.status_code
    assert foreign.status_code in (302, 403)
    assert foreign.headers.get("Location") == unknown.headers.get("Location")


def _unknown(model: type[Model]) -> object:
    """A key of the right kind that no row has."""
    if model._meta.pk.get_internal_type() == "UUIDField":
        return "00000000-0000-7000-8000-000000000000"
    return 987654321


@by_label
def test_the_own_row_opens_and_says_nothing_of_others(two: Two, model: type[Model]) -> None:
    for page in ("change", "history"):
        answer = two.admin.get(address(model, page, two.own[model].pk))
        assert answer.status_code == 200
        assert "globex" not in answer.content.decode().lower()


@by_label
def test_no_operation_touches_a_foreign_row(two: Two, model: type[Model]) -> None:
    model_admin = admin.site._registry[model]
    assert isinstance(model_admin, TenantAdmin)
    for kind in model_admin.operations:
        if kind.on_row:
            url = model_admin.operation_url(kind.slug, [two.foreign[model].pk])
            assert two.admin.get(url).status_code == 404
            assert two.admin.post(url, {"confirmed": "1"}).status_code == 404


@by_label
def test_a_list_action_reaches_no_foreign_row(two: Two, model: type[Model]) -> None:
    model_admin = admin.site._registry[model]
    assert isinstance(model_admin, TenantAdmin)
    for kind in model_admin.operations:
        if kind.many:
            answer = two.admin.post(
                address(model, "changelist"),
                {"action": kind.slug, "_selected_action": [two.foreign[model].pk]},
            )
            assert "ids=" not in answer.headers.get("Location", "")


@by_label
def test_filters_offer_no_foreign_choice(two: Two, model: type[Model]) -> None:
    answer = two.admin.get(address(model, "changelist"))
    for spec in answer.context["cl"].filter_specs:
        choices = [str(choice["display"]) for choice in spec.choices(answer.context["cl"])]
        assert not [choice for choice in choices if "globex" in choice.lower()]


@by_label
def test_a_filter_on_a_foreign_row_shows_nothing_foreign(two: Two, model: type[Model]) -> None:
    for name in ("organization", "team"):
        foreign = two.foreign[Wallet if name == "organization" else Team]
        pk = foreign.organization_id if name == "organization" else foreign.pk
        answer = two.admin.get(address(model, "changelist"), {f"{name}__id__exact": pk})
        assert answer.status_code in (200, 302)
        if answer.status_code == 200:
            shown = answer.context["cl"].queryset
            assert two.foreign[model].pk not in set(shown.values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("source", "field", "target"),
    [
        ("team", "organization", "Globex"),
        ("gatewaykey", "team", "Engineering"),
        ("gatewaykey", "consumer_group", "engineering"),
        ("gatewaykey", "user", "globex"),
        ("wallet", "parent", "globex"),
        ("limit", "key", "globex"),
    ],
)
def test_autocomplete_finds_nothing_foreign(two: Two, source: str, field: str, target: str) -> None:
    answer = two.admin.get(
        reverse("admin:autocomplete"),
        {"app_label": "wallets", "model_name": source, "field_name": field, "term": target},
    )
    assert answer.status_code == 200
    foreign = {str(row.pk) for row in two.foreign.values()}
    same_key = {str(row.pk) for row in two.own.values()}
    found = {item["id"] for item in answer.json()["results"]}
    assert found & (foreign - same_key) == set()
    assert "globex" not in answer.content.decode().lower()


@by_label
def test_choices_of_foreign_keys_are_the_own_rows(
    two: Two, model: type[Model], rf: RequestFactory
) -> None:
    request = rf.get("/")
    request.user = two.acme.admin
    model_admin = admin.site._registry[model]
    for field in model._meta.concrete_fields:
        if isinstance(field, ForeignKey) and field.related_model in two.foreign:
            choices = model_admin.formfield_for_foreignkey(field, request).queryset
            assert two.own[field.related_model] in choices
            assert two.foreign[field.related_model] not in choices


def test_choices_of_operation_forms_are_the_own_people(two: Two) -> None:
    team_admin = admin.site._registry[type(two.acme.team)]
    assert isinstance(team_admin, TenantAdmin)
    for slug in ("add-member", "user-wallet"):
        html = two.admin.get(team_admin.operation_url(slug, [two.acme.team.pk])).content.decode()
        assert "acme-member" in html
        assert "globex" not in html


def test_a_foreign_person_in_a_form_is_refused(two: Two, globex: Company) -> None:
    team_admin = admin.site._registry[type(two.acme.team)]
    assert isinstance(team_admin, TenantAdmin)
    answer = two.admin.post(
        team_admin.operation_url("add-member", [two.acme.team.pk]),
        {"user": globex.member.pk, "role": "member", "confirmed": "1"},
    )
    assert answer.status_code == 200
    assert "Select a valid choice" in answer.content.decode()
    assert not two.acme.team.memberships.filter(user=globex.member).exists()


def test_a_foreign_source_wallet_in_a_form_is_refused(two: Two) -> None:
    from tests import factories

    target = factories.team_wallet(two.acme.team)
    before = target.balance
    wallet_admin = admin.site._registry[Wallet]
    assert isinstance(wallet_admin, TenantAdmin)
    foreign = two.foreign[Wallet]
    answer = two.admin.post(
        wallet_admin.operation_url("allocate", [target.pk]),
        {"source": foreign.parent_id, "amount": "1", "confirmed": "1"},
    )
    assert answer.status_code == 200
    assert factories.team_wallet(two.acme.team).balance == before


@pytest.mark.parametrize("model", PLATFORM, ids=lambda model: model._meta.label)
def test_the_machinery_is_closed_to_organizations(two: Two, model: type[Model]) -> None:
    row = model._default_manager.first()
    assert row is not None
    assert two.admin.get(address(model, "changelist")).status_code == 403
    assert two.admin.get(address(model, "change", row.pk)).status_code in (302, 403)


def test_packages_pages_are_closed_to_organizations(two: Two) -> None:
    for model in set(admin.site._registry) - set(OURS):
        assert two.admin.get(address(model, "changelist")).status_code == 403


def test_the_index_lists_no_foreign_or_closed_model(two: Two) -> None:
    html = two.admin.get(reverse("admin:index")).content.decode()
    assert "Wallets" in html
    for hidden in ("Dead letters", "Claims", "Periodic tasks", "Access attempts"):
        assert hidden not in html


@by_label
def test_a_billing_admin_sees_wallets_and_no_keys_or_audit_log(
    two: Two, model: type[Model], sign_in: SignIn
) -> None:
    answer = sign_in(two.acme.billing).get(address(model, "changelist"))
    assert answer.status_code == (403 if model in NOT_BILLINGS else 200)


@by_label
def test_an_auditor_reads_everything_and_posts_nothing(
    two: Two, model: type[Model], sign_in: SignIn
) -> None:
    auditor, row = sign_in(two.acme.auditor), two.own[model]
    assert auditor.get(address(model, "changelist")).status_code == 200
    assert auditor.get(address(model, "change", row.pk)).status_code == 200
    assert auditor.post(address(model, "add"), {}).status_code == 403
    assert auditor.post(address(model, "change", row.pk), {}).status_code == 403
    assert auditor.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    model_admin = admin.site._registry[model]
    assert isinstance(model_admin, TenantAdmin)
    for kind in model_admin.operations:
        url = model_admin.operation_url(kind.slug, [row.pk] if kind.on_row else [])
        assert auditor.get(url).status_code == 403, kind.slug
        assert auditor.post(url, {"confirmed": "1"}).status_code == 403, kind.slug


def test_an_auditor_is_offered_no_operation(two: Two, sign_in: SignIn) -> None:
    auditor = sign_in(two.acme.auditor)
    wallet = two.own[Wallet]
    assert auditor.get(address(Wallet, "change", wallet.pk)).context["operations"] == []
    html = auditor.get(address(Wallet, "changelist")).content.decode()
    assert "Freeze" not in html


@pytest.mark.parametrize("name", ["lead", "member", "colleague"])
def test_people_without_a_staff_role_do_not_enter(two: Two, name: str, sign_in: SignIn) -> None:
    user = getattr(two.acme, name)
    user.is_staff = True
    user.save()
    answer = sign_in(user).get(reverse("admin:index"))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("admin:login"))


def test_staff_of_both_see_both_each_by_their_role(
    two: Two, globex: Company, sign_in: SignIn
) -> None:
    globex.organization.memberships.create(user=two.acme.admin, role="billing_admin")
    both = sign_in(two.acme.admin)
    entries = both.get(address(Entry, "changelist")).context["cl"].queryset
    assert entries.values("organization").distinct().count() == 2
    audits = both.get(address(AuditRecord, "changelist")).context["cl"].queryset
    assert audits.values("organization").distinct().count() == 1
    url = address(Wallet, "operation", "freeze")
    assert both.get(url, {"ids": two.foreign[Wallet].pk}).status_code == 200


def test_a_member_elsewhere_sees_nothing_of_that_organization(
    two: Two, globex: Company, sign_in: SignIn
) -> None:
    globex.organization.memberships.create(user=two.acme.admin, role="member")
    client = sign_in(two.acme.admin)
    for model in (Wallet, DecisionEvent, ModelPrice):
        shown = client.get(address(model, "changelist")).context["cl"].queryset
        assert two.foreign[model].pk not in set(shown.values_list("pk", flat=True))


def test_a_digest_is_not_guessed_through_a_list(two: Two) -> None:
    answer = two.admin.get(address(ApiToken, "changelist"), {"digest__startswith": "a"})
    assert answer.status_code in (302, 400)
    answer = two.admin.get(address(User, "changelist"), {"password__startswith": "md5"})
    assert answer.status_code in (302, 400)


def test_an_organization_sees_no_password_and_no_platform_flag_of_a_person(two: Two) -> None:
    html = two.admin.get(address(User, "change", two.acme.member.pk)).content.decode().lower()
    assert "acme-member" in html
    for word in ("password_hash", "md5", "superuser", "is_staff"):
        assert word not in html
