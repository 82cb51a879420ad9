"""Limits, stops and the audit log."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from wallets.admin import display
from wallets.admin.base import TenantAdmin
from wallets.admin.operation import Operation
from wallets.admin.operations import keys as operations
from wallets.admin.operations.organizations import PullStop, SetLimit
from wallets.models import AuditRecord, Limit, LimitCounter, Organization, Stop
from wallets.permissions import Action
from wallets.staff import actor_of

MOST_BUTTONS = 5


class OfferedByOrganizations(TenantAdmin):
    """Rows that are made on the page of their organisation; their list leads there.

    To each organisation while there are at most ``MOST_BUTTONS``.
    """

    for_organizations: ClassVar[Sequence[type[Operation]]] = ()

    def _links(self, request: HttpRequest, row: Model | None) -> Iterator[dict[str, str]]:
        yield from super()._links(request, row)
        if row is None:
            yield from self._by_organization(request)

    def _by_organization(self, request: HttpRequest) -> Iterator[dict[str, str]]:
        pages = self.admin_site.get_model_admin(Organization)
        assert isinstance(pages, TenantAdmin)
        rows = list(pages.get_queryset(request)[: MOST_BUTTONS + 1])
        if len(rows) > MOST_BUTTONS:
            return
        for kind in self.for_organizations:
            for row in rows:
                if kind().allowed(actor_of(request), row):
                    label = kind.label if len(rows) == 1 else f"{kind.label}: {row}"
                    yield {"label": label, "url": pages.operation_url(kind.slug, [row.pk])}


@admin.register(Limit)
class LimitAdmin(OfferedByOrganizations):
    """At most so much per period."""

    view_action = Action.LIMITS_READ
    list_display = (
        *("public_id", "organization", "team", "user", "key", "consumer_group", "period"),
        display.column("amount"),
    )
    list_filter = ("period", "organization", "team")
    list_select_related = ("organization", "team__organization", "user", "key", "consumer_group")
    search_fields = ("public_id", "team__slug", "user__username", "consumer_group__name")
    money = ("amount",)
    operations = (operations.RemoveLimit,)
    for_organizations = (SetLimit,)


@admin.register(LimitCounter)
class LimitCounterAdmin(TenantAdmin):
    """What has been held and spent under a limit in a period."""

    organization_lookup = "organization_id"
    view_action = Action.LIMITS_READ
    list_display = ("key", "period_start", display.column("held"), display.column("spent"))
    list_filter = ("period_start",)
    search_fields = ("key",)
    ordering = ("-key",)
    money = ("held", "spent")


@admin.register(Stop)
class StopAdmin(OfferedByOrganizations):
    """Stop switches, lifted ones too."""

    view_action = Action.STOPS_READ
    list_display = (
        *("target", "scope", "state", "cut", "reason"),
        *(display.time("created_at", "since"), display.person("created_by", "by")),
        *(display.time("lifted_at", "lifted"), display.person("lifted_by", "lifted by")),
        "organization",
    )
    people = ("created_by", "lifted_by")
    list_filter = ("scope", "organization", ("lifted_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization",)
    search_fields = ("target", "public_id", "reason")
    date_hierarchy = "created_at"
    operations = (operations.Resume,)
    for_organizations = (PullStop,)

    @admin.display(description="state")
    def state(self, stop: Stop) -> str:
        """In words."""
        return "stopped" if stop.lifted_at is None else "lifted"


@admin.register(AuditRecord)
class AuditRecordAdmin(TenantAdmin):
    """Who changed what. Never changed, never deleted."""

    view_action = Action.AUDIT_READ
    ordering = ("-id",)
    list_display = (
        *(display.time("created_at", "time"), display.person("actor"), "action", "target"),
        *("organization", "address"),
    )
    people = ("actor",)
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("=actor", "target", "action", "=public_id")
    date_hierarchy = "created_at"
    sortable_by = ()
