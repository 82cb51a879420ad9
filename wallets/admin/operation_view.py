"""Pages of operations: fill in, see before and after, confirm; the operation itself decides."""

import copy
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from keeptrusts.lib.money import InvalidAmount
from wallets import audit
from wallets.admin.operation import Call, DoneAlready, Operation, Shown
from wallets.errors import InvalidInput, KeyReused, Refused
from wallets.staff import actor_of

MOST_ROWS = 100
REFUSALS = (Refused, InvalidAmount)
CONFLICT = 409
KEPT = {"Cache-Control": "private, no-cache"}
FORGOTTEN = {"Cache-Control": "private, no-store"}


class OperationsMixin(admin.ModelAdmin):
    """Adds the pages of ``operations``, links to them, and list actions for those on many rows."""

    operations: ClassVar[Sequence[type[Operation]]] = ()

    def get_urls(self) -> list[URLPattern]:
        """One address for all operations of the model; rows are named by ``?ids=``."""
        # Its own header: a page that is never stored is opened anew by Back, with a new nonce.
        view = self.admin_site.admin_view(self.operation_view, cacheable=True)
        own = path("operations/<slug:slug>/", view, name=self._url_name())
        return [own, *super().get_urls()]

    def operation_view(self, request: HttpRequest, slug: str) -> HttpResponse:
        """Form, then before and after, then done."""
        operation = self._operation(slug)
        rows = self._rows(request, operation)
        actor = actor_of(request)
        if not all(operation.allowed(actor, row) for row in rows):
            raise PermissionDenied
        nonce = request.POST.get("nonce", "")[:64]
        calls = [Call(request=request, actor=actor, row=row, nonce=nonce) for row in rows]
        if all(call.done(slug) for call in calls):
            return self._done_page(request, operation, rows)
        calls = [call for call in calls if operation.applies(actor, call.row)]
        if not calls:
            messages.warning(request, f"{operation.label}: there is nothing to do here.")
            return HttpResponseRedirect(self._back(rows))
        form = operation.make_form(calls[0], request.POST if request.method == "POST" else None)
        if request.method != "POST" or "back" in request.POST or not form.is_valid():
            return self._page(request, operation, calls, form)
        calls = [replace(call, values=form.cleaned_data) for call in calls]
        try:
            return self._answer(request, operation, calls, form)
        except (DoneAlready, KeyReused):
            return self._done_page(request, operation, rows)
        except REFUSALS as error:
            _tell(form, error)
            return self._page(request, operation, calls, form)

    def _answer(
        self, request: HttpRequest, operation: Operation, calls: list[Call], form: Form
    ) -> HttpResponse:
        """What a filled-in form gets: done where it was confirmed, else before and after."""
        if "confirmed" in request.POST and calls[0].nonce:
            with audit.calling_from(calls[0].actor.address):
                return self._run(request, operation, calls)
        lines = [(call.row, operation.lines(call)) for call in calls]
        self._try(operation, calls)
        return self._page(request, operation, calls, form, lines=lines)

    def _try(self, operation: Operation, calls: list[Call]) -> None:
        """Raise what Confirm would refuse. Of several rows Confirm tells one by one."""
        if operation.by_ledger:
            for call in calls:
                operation.check(call)
        elif len(calls) == 1:
            # A copy: the page goes on to show the row as it is.
            tried = replace(calls[0], row=copy.copy(calls[0].row))
            with transaction.atomic():
                operation.run(tried)
                transaction.set_rollback(True)

    def _run(self, request: HttpRequest, operation: Operation, calls: list[Call]) -> HttpResponse:
        """Each row by itself; with a single one a refusal goes back to the form."""
        for call in calls:
            try:
                outcome = _once(operation, call)
            except REFUSALS as error:
                if len(calls) == 1:
                    raise
                messages.error(request, f"{call.row}: {error.message}")
                continue
            if isinstance(outcome, Shown):
                return self._secret_page(request, operation, outcome, call)
            messages.success(request, outcome)
        return HttpResponseRedirect(self._back([call.row for call in calls]))

    def _back(self, rows: list[Any]) -> str:
        row = rows[0]
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        # The row may be gone by now (a limit, a membership).
        if row is None or len(rows) > 1 or not type(row)._base_manager.filter(pk=row.pk).exists():
            return reverse(f"{name}_changelist")
        return reverse(f"{name}_change", args=[row.pk])

    def _rows(self, request: HttpRequest, operation: Operation) -> list[Any]:
        """The rows named in the address, as far as they exist for this person."""
        if not operation.on_row:
            return [None]
        ids = list(dict.fromkeys(filter(None, request.GET.get("ids", "").split(","))))
        if not 0 < len(ids) <= (MOST_ROWS if operation.many else 1):
            raise Http404
        try:
            # Exact lookups know numbers that no column can hold; ``in`` does not.
            named = reduce(or_, [Q(pk=id) for id in ids])
            rows = list(self.get_queryset(request).filter(named))
        except (ValueError, ValidationError):
            raise Http404 from None
        if len(rows) != len(ids):
            raise Http404
        return rows

    def _operation(self, slug: str) -> Operation:
        for kind in self.operations:
            if kind.slug == slug:
                return kind()
        raise Http404

    def _page(
        self,
        request: HttpRequest,
        operation: Operation,
        calls: list[Call],
        form: Form,
        **more: Any,
    ) -> HttpResponse:
        rows = [call.row for call in calls]
        context = {
            **self._context(request, operation),
            "subtitle": ", ".join(str(row) for row in rows if row is not None),
            "operation": operation,
            "original": rows[0] if len(rows) == 1 else None,
            "form": form,
            "nonce": calls[0].nonce or secrets.token_hex(16),
            **more,
        }
        return TemplateResponse(request, "admin/operation.html", context, headers=KEPT)

    def _secret_page(
        self, request: HttpRequest, operation: Operation, shown: Shown, call: Call
    ) -> HttpResponse:
        """The only time a secret is seen: not stored, not cached, not in a message."""
        context = {
            **self._context(request, operation),
            "shown": shown,
            "original": call.row,
            "back": self._back([call.row]),
        }
        return TemplateResponse(request, "admin/secret.html", context, headers=FORGOTTEN)

    def _done_page(
        self, request: HttpRequest, operation: Operation, rows: list[Any]
    ) -> HttpResponse:
        """Confirmed a second time: nothing happens, and it says so."""
        context = {
            **self._context(request, operation),
            "operation": operation,
            "back": self._back(rows),
            "again": self.operation_url(operation.slug, [row.pk for row in rows]),
        }
        return TemplateResponse(
            request, "admin/operation_done.html", context, status=CONFLICT, headers=FORGOTTEN
        )

    def _context(self, request: HttpRequest, operation: Operation) -> dict[str, Any]:
        named = {"title": operation.label, "opts": self.opts}
        return {**self.admin_site.each_context(request), **named}

    # Links

    def _url_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_operation"

    def operation_url(self, slug: str, ids: Sequence[Any] = ()) -> str:
        """The address of an operation on some rows."""
        address = reverse(f"admin:{self._url_name()}", args=[slug])
        if not ids:
            return address
        return f"{address}?{urlencode({'ids': ','.join(map(str, ids))})}"

    def _links(self, request: HttpRequest, row: Model | None) -> Iterator[dict[str, str]]:
        actor = actor_of(request)
        ids = [] if row is None else [row.pk]
        for kind in self.operations:
            operation = kind()
            if operation.on_row != (row is not None) or not operation.applies(actor, row):
                continue
            if operation.allowed(actor, row):
                yield {"label": kind.label, "url": self.operation_url(kind.slug, ids)}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any | None = None,
    ) -> HttpResponse:
        """Show the operations that this person may do to this row."""
        if obj is not None:
            context["operations"] = list(self._links(request, obj))
        return super().render_change_form(request, context, add, change, form_url, obj)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the operations that make rows."""
        operations = list(self._links(request, None))
        return super().changelist_view(request, {"operations": operations, **(extra_context or {})})

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The operations on many rows, for who may do them somewhere."""
        actions = super().get_actions(request)
        actor = actor_of(request)
        for kind in self.operations:
            if kind.many and kind().allowed_somewhere(actor):
                actions[kind.slug] = (_action(kind), kind.slug, f"{kind.label}…")
        return actions


def _once(operation: Operation, call: Call) -> str | Shown:
    """Run it, unless this form was confirmed before."""
    if operation.by_ledger:
        operation.check(call)
        return operation.run(call)
    with transaction.atomic():
        call.take(operation.slug)
        return operation.run(call)


def _tell(form: Form, error: Refused | InvalidAmount) -> None:
    """Put a refusal where it belongs: at its field, else above the form."""
    field = error.field if isinstance(error, InvalidInput | InvalidAmount) else None
    if field in form.fields:
        form.add_error(field, error.message)
    else:
        form.add_error(None, f"{field}: {error.message}" if field else error.message)


def _action(kind: type[Operation]) -> Any:
    def go(model_admin: OperationsMixin, request: HttpRequest, rows: QuerySet[Any]) -> Any:
        ids = list(rows.values_list("pk", flat=True)[: MOST_ROWS + 1])
        if len(ids) > MOST_ROWS:
            messages.error(request, f"Select at most {MOST_ROWS} rows.")
            return None
        return HttpResponseRedirect(model_admin.operation_url(kind.slug, ids))

    return go
