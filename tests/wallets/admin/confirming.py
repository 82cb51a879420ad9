"""How tests fill in, look at and confirm an operation page."""

import re

from django.contrib import admin
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client

from wallets.admin.base import TenantAdmin


def page(row: Model | type[Model], slug: str, *more: Model) -> str:
    """The address of an operation on rows, or of one that makes a row."""
    model = row if isinstance(row, type) else type(row)
    registered = admin.site._registry[model]
    assert isinstance(registered, TenantAdmin)
    rows = () if isinstance(row, type) else (row, *more)
    return registered.operation_url(slug, [item.pk for item in rows])


def confirm(client: Client, url: str, **values: object) -> HttpResponse:
    """Fill in, look at before and after, press Confirm."""
    nonce = client.get(url).context["nonce"]
    preview = client.post(url, {**values, "nonce": nonce})
    assert preview.status_code == 200
    lines = preview.context.get("lines")
    assert lines, preview.context["form"].errors
    assert preview.context["nonce"] == nonce
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
