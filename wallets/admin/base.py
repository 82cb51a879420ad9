"""The one base of every admin class with rows of organisations.

Everything is read here and changed by operations: rows, choices, filters, autocomplete, history and
actions all start from ``get_queryset``, which knows only the organisations of who is signed in.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import MAXYEAR
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field, ForeignKey, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from wallets import permissions
from wallets.admin import display
from wallets.admin.filters import TenantRelatedFilter
from wallets.admin.operation_view import OperationsMixin
from wallets.admin.paginator import CheapPaginator
from wallets.models import AuditRecord, User
from wallets.permissions import Action
from wallets.staff import actor_of, visible

HISTORY_LENGTH = 200
HISTORY_ACTOR = display.person("actor")
DATE_PARTS = ("__year", "__month", "__day")


class PreparedChangeList(ChangeList):
    """A list whose admin looks up what its page names, for all rows at once."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Refuse dates that no calendar has, as any other filter that makes no sense."""
        for name in request.GET:
            value = request.GET.get(name) or ""
            if name.endswith(DATE_PARTS) and not (value.isdecimal() and 0 < int(value) <= MAXYEAR):
                raise IncorrectLookupParameters(f"{name} is no part of a date")
        found: QuerySet[Any] = super().get_queryset(request, *args, **kwargs)
        return found

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, prepared."""
        super().get_results(request)
        rows: Iterable[Any] = self.result_list
        model_admin: TenantAdmin = self.model_admin  # type: ignore[assignment]
        model_admin.prepare(request, rows)


class TenantAdmin(OperationsMixin, admin.ModelAdmin):
    """Rows of organisations, read-only, with operations.

    ``organization_lookup`` leads from a row to its organisation; empty: platform administrators
    only. ``view_action`` is the right to see the rows; ``shared``: rows without an organisation are
    everybody's. ``money`` names columns of nano-dollars, ``people`` columns with public ids of
    actors, ``hidden`` columns that no page shows.
    """

    organization_lookup: ClassVar[str] = "organization"
    view_action: ClassVar[Action] = Action.ORGANIZATION_READ
    shared: ClassVar[bool] = False
    money: ClassVar[Sequence[str]] = ()
    hidden: ClassVar[Sequence[str]] = ()
    people: ClassVar[Sequence[str]] = ()

    paginator = CheapPaginator
    show_full_result_count = False
    list_per_page = 50
    change_form_template = "admin/tenant_change_form.html"
    change_list_template = "admin/tenant_change_list.html"

    # Which rows exist

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows of the organisations where this person may see them."""
        rows = super().get_queryset(request)
        if not isinstance(self.list_select_related, bool):
            # Here and not only for lists: exports, operations and filters name rows too.
            rows = rows.select_related(*self.list_select_related)
        if actor_of(request).platform:
            return rows
        if not self.organization_lookup:
            return rows.none()
        mine = Q(**{f"{self.organization_lookup}__in": visible(request, self.view_action)})
        if self.shared:
            mine |= Q(**{f"{self.organization_lookup}__isnull": True})
        return rows.filter(mine)

    def get_ordering(self, request: HttpRequest) -> Any:
        """Newest first, unless the model or its admin says otherwise."""
        return super().get_ordering(request) or self.opts.ordering or ("-pk",)

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Choices are what the related model's own admin shows this person."""
        related = self.admin_site._registry.get(db_field.related_model)
        if related is not None and "queryset" not in kwargs:
            kwargs["queryset"] = related.get_queryset(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Filters by a related row offer scoped choices."""
        return [
            (item, TenantRelatedFilter) if isinstance(item, str) and self._related(item) else item
            for item in super().get_list_filter(request)
            if item != "organization" or not self._one_tenant(request)
        ]

    def get_list_display(self, request: HttpRequest) -> Any:
        """Who is at home in one organisation is not told which on every row."""
        columns = super().get_list_display(request)
        if self._one_tenant(request):
            return [column for column in columns if column != "organization"]
        return columns

    def _one_tenant(self, request: HttpRequest) -> bool:
        actor = actor_of(request)
        return not actor.platform and len(permissions.staffed(actor)) == 1

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Lists with prepared rows."""
        return PreparedChangeList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """One row, prepared."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            self.prepare(request, [row])
        return row

    def prepare(self, request: HttpRequest, rows: Iterable[Any]) -> None:
        """Look up what the columns of these rows name: user names of actors, in one statement."""
        if self.people:
            display.name_people(rows, self.people, lambda ids: self._names(request, ids))

    def _names(self, request: HttpRequest, ids: set[str]) -> Mapping[str, str]:
        """User names of the people among ``ids`` that exist for who is signed in."""
        seen = self.admin_site.get_model_admin(User).get_queryset(request)
        named = seen.filter(public_id__in=ids).values_list("public_id", "username")
        return dict(named.iterator())

    def _related(self, name: str) -> bool:
        try:
            return bool(self.opts.get_field(name).is_relation)
        except FieldDoesNotExist:
            return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Digests cannot be guessed digit by digit through the address of a list."""
        if lookup.startswith(("digest", "password")):
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    # What may be done

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether this person may see rows of this kind, or this row."""
        if actor_of(request).platform:
            return True
        if not self.organization_lookup:
            return False
        if obj is None:
            return bool(visible(request, self.view_action))
        return self.get_queryset(request).filter(pk=obj.pk).exists()

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the index shows this kind of rows."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: operations make rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: operations change rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: what was stays."""
        return False

    # What a page shows

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Every column but the hidden ones; money in dollars."""
        return list(self._shown())

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """All of them."""
        if self.fieldsets:
            return [name for _, options in self.fieldsets for name in options["fields"]]
        return list(self._shown())

    def _shown(self) -> Iterator[Any]:
        fields: Sequence[Field[Any, Any]] = self.opts.concrete_fields
        for field in fields:
            if field.name in self.hidden or (field.primary_key and field.auto_created):
                continue
            yield self.shown(field.name)

    def shown(self, name: str) -> Any:
        """A column as pages show it: money in dollars, people with their names."""
        if name in self.money:
            return display.column(name)
        return display.person(name) if name in self.people else name

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """The fieldsets of the class, as they are; their fields are all read-only."""
        return self.fieldsets or super().get_fieldsets(request, obj)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The audit log of one row, for who may read it."""
        row = self.get_object(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {row}",
            "opts": self.opts,
            "object": row,
            "records": self._history(request, row),
            "may_read": self._may_read_history(request),
        }
        return TemplateResponse(request, "admin/tenant_history.html", context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Offer the history to who may read it."""
        context["may_read_history"] = self._may_read_history(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def _may_read_history(self, request: HttpRequest) -> bool:
        return actor_of(request).platform or bool(visible(request, Action.AUDIT_READ))

    def _history(self, request: HttpRequest, row: Model) -> list[AuditRecord]:
        records = AuditRecord.objects.filter(
            organization=getattr(row, "organization_id", None),
            target=getattr(row, "public_id", str(row.pk)),
        )
        actor = actor_of(request)
        if not actor.platform:
            records = records.filter(organization__in=permissions.staffed(actor, Action.AUDIT_READ))
        found = list(records.order_by("-pk")[:HISTORY_LENGTH])
        display.name_people(found, ("actor",), lambda ids: self._names(request, ids))
        for record in found:
            record.by = HISTORY_ACTOR(record)  # type: ignore[attr-defined]
        return found


class PlatformAdmin(TenantAdmin):
    """Rows that belong to no organisation or that only platform administrators look after."""

    organization_lookup = ""
