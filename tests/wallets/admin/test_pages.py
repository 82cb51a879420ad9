"""Every registered page opens for a platform administrator, or refuses as it should."""

import re

import pytest
from django.contrib import admin
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from tests.wallets.admin.conftest import fill, fill_platform
from tests.wallets.conftest import Company
from wallets.admin.base import TenantAdmin
from wallets.models import User

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
OURS = [model for model in MODELS if isinstance(admin.site._registry[model], TenantAdmin)]
INLINE = re.compile(r'<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle="|\son[a-z]+="')
OWN_APPS = ("wallets", "gateway", "billing", "alerts")


def address(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def inline_code(answer: HttpResponse) -> list[str]:
    """What the content security policy would block."""
    return INLINE.findall(answer.content.decode())


@pytest.fixture
def filled(acme: Company) -> Company:
    """Rows of every model."""
    fill(acme)
    fill_platform(acme)
    return acme


def test_every_model_of_ours_is_registered_through_the_one_base() -> None:
    from django.apps import apps

    ours = {m for m in apps.get_models() if m._meta.app_label in OWN_APPS}
    assert ours - set(OURS) == set()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_the_list_opens(root: Client, filled: Company, model: type[Model]) -> None:
    answer = root.get(address(model, "changelist"))
    assert answer.status_code == 200
    assert inline_code(answer) == []
    if model in OURS:
        assert answer.context["cl"].result_count >= 1


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_the_search_works(root: Client, filled: Company, model: type[Model]) -> None:
    for words in ("acme", "7", "\x00", "a b"):
        assert root.get(address(model, "changelist"), {"q": words}).status_code in (200, 302)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_the_page_of_a_row_and_its_history_open(
    root: Client, filled: Company, model: type[Model]
) -> None:
    row = model._default_manager.first()
    assert row is not None
    for page in ("change", "history"):
        answer = root.get(address(model, page, row.pk))
        assert answer.status_code == 200
        assert inline_code(answer) == []


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_nothing_of_ours_is_added_changed_or_deleted_past_the_operations(
    root: Client, filled: Company, model: type[Model]
) -> None:
    row = model._default_manager.first()
    assert row is not None
    people = model is User
    assert root.get(address(model, "add")).status_code == (200 if people else 403)
    assert root.post(address(model, "add"), {}).status_code == (200 if people else 403)
    changed = root.post(address(model, "change", row.pk), {})
    assert changed.status_code == (200 if people else 403)
    assert root.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_every_operation_page_opens(root: Client, filled: Company, model: type[Model]) -> None:
    row = model._default_manager.first()
    assert row is not None
    model_admin = admin.site._registry[model]
    assert isinstance(model_admin, TenantAdmin)
    for kind in model_admin.operations:
        query = {"ids": row.pk} if kind.on_row else {}
        answer = root.get(address(model, "operation", kind.slug), query)
        assert answer.status_code in (200, 302), kind.slug
        assert inline_code(answer) == []


@pytest.mark.parametrize("page", ["index", "login", "password_change"])
def test_the_site_pages_have_no_inline_code(root: Client, page: str) -> None:
    assert inline_code(root.get(reverse(f"admin:{page}"))) == []


def test_the_login_page_carries_the_name(client: Client, db: None) -> None:
    html = client.get(reverse("admin:login")).content.decode()
    assert "Keeptrusts" in html
    assert "keeptrusts/admin.css" in html


def test_an_unknown_operation_is_not_found(root: Client, filled: Company) -> None:
    assert root.get(address(User, "operation", "explode")).status_code == 404


@pytest.mark.parametrize("ids", ["", "nonsense", "0", "1,2,x", "9" * 30])
def test_an_operation_on_unknown_rows_is_not_found(root: Client, filled: Company, ids: str) -> None:
    from wallets.models import Wallet

    answer = root.get(address(Wallet, "operation", "freeze"), {"ids": ids})
    assert answer.status_code == 404
