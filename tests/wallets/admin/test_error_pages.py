"""What people see when something is not there or not allowed, in the product's own dress."""

import pytest
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.test import Client

from tests import factories
from tests.wallets.admin.confirming import page
from tests.wallets.admin.conftest import SignIn
from tests.wallets.admin.test_pages import INLINE
from tests.wallets.conftest import Company


def test_a_forbidden_page_is_dressed(acme: Company, sign_in: SignIn) -> None:
    wallet = factories.organization_wallet(acme.organization)
    answer = sign_in(acme.auditor).get(page(wallet, "credit"))
    assert answer.status_code == 403
    assert "Your role does not allow this page" in answer.content.decode()


def test_an_unknown_page_is_dressed(root: Client) -> None:
    answer = root.get("/nowhere")
    assert answer.status_code == 404
    assert "keeptrusts/error.css" in answer.content.decode()


def test_a_form_without_its_token_says_that_nothing_changed(acme: Company) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(acme.admin, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post(page(acme.team, "rename"), {"name": "x"})
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.content.decode()


@pytest.mark.parametrize("name", ["403", "404", "403_csrf", "500"])
def test_error_pages_need_nothing_inline(name: str) -> None:
    html = render_to_string(f"{name}.html")
    assert INLINE.findall(html) == []
    assert "keeptrusts/favicon.svg" in html


@pytest.mark.parametrize("name", ["favicon.svg", "error.css", "admin.css"])
def test_what_the_pages_link_to_is_there(name: str) -> None:
    assert finders.find(f"keeptrusts/{name}")


def test_the_admin_has_an_icon(root: Client) -> None:
    assert "keeptrusts/favicon.svg" in root.get("/admin/").content.decode()
