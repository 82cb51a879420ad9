"""The base of every view of /v1: who calls, in which organisation, with which input."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from keeptrusts.lib.client_address import client_address
from keeptrusts.lib.rest import jsonbody
from keeptrusts.lib.rest.pagination import KeysetPagination
from keeptrusts.lib.rest.serializers import Input
from wallets import audit, permissions, tenancy
from wallets.errors import InvalidInput
from wallets.ledger import Claimed
from wallets.models import Organization, Team, User
from wallets.permissions import Action
from wallets.tenancy import Actor

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
ORGANIZATION_ID = "organization_id"


class OrganizationInput(Input):
    """A body or query that may say which organisation; platform tokens must."""

    organization_id = serializers.CharField(
        required=False,
        max_length=40,
        help_text="Public id `org_…`; needed only by callers of several organisations.",
    )


class View(APIView):
    """Knows the caller and reads strict input. Everything else is the operation's own."""

    query_shape: ClassVar[type[Input]] = OrganizationInput

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Handle the call; what it changes is written down with where it came from."""
        with audit.calling_from(client_address(request) or None):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what no database can store before anything looks at it."""
        super().initial(request, *args, **kwargs)
        for name, value in [*request.query_params.items(), *kwargs.items()]:
            if "\x00" in name or "\x00" in str(value):
                raise InvalidInput(name.replace("\x00", ""), "must not hold NUL characters.")

    @property
    def actor(self) -> Actor:
        """Who calls."""
        caller: Any = self.request.user
        actor: Actor = caller.actor
        return actor

    @property
    def address(self) -> str | None:
        """Where the call comes from."""
        return self.actor.address

    def body(self, shape: type[Input], **context: Any) -> dict[str, Any]:
        """The validated request body; raises ``ValidationError``."""
        if not isinstance(self.request.data, Mapping):
            problem = {"body": ["must be a JSON object."]}
            raise serializers.ValidationError(problem, code="invalid_body")
        form = shape(data=self.request.data, context=context)
        form.is_valid(raise_exception=True)
        values: dict[str, Any] = form.validated_data
        return values

    def query(self, shape: type[Input] | None = None) -> dict[str, Any]:
        """The validated query parameters; empty ones count as not given."""
        given = {name: value for name, value in self.request.query_params.items() if value}
        form = (shape or self.query_shape)(data=given)
        form.is_valid(raise_exception=True)
        values: dict[str, Any] = form.validated_data
        return values

    def organization(self, values: dict[str, Any] | None = None) -> Organization:
        """The organisation of the call: said in the body or query, else the caller's own."""
        given = (values or {}).get(ORGANIZATION_ID) or self.request.query_params.get(
            ORGANIZATION_ID
        )
        return tenancy.resolve_organization(self.actor, given)

    def require(
        self,
        action: Action,
        organization: Organization,
        *,
        team: Team | None = None,
        user: User | None = None,
        named: str = "such thing here",
    ) -> None:
        """Raise ``Forbidden`` unless the caller may, or ``NotFound`` as for an unknown one."""
        permissions.require(
            self.actor, action, organization=organization, team=team, user=user, named=named
        )

    def claim(self, organization: Organization, operation: str) -> Claimed | None:
        """The idempotency claim of the call's ``Idempotency-Key`` header, if it has one."""
        header = self.request.headers.get("Idempotency-Key")
        if header is None:
            return None
        if not IDEMPOTENCY_KEY.fullmatch(header):
            raise InvalidInput(
                "Idempotency-Key", "must be 1 to 255 visible ASCII characters, for example a UUID."
            )
        parts = (organization.public_id, self.actor.public_id, operation, header)
        return Claimed(key=_digest("|".join(parts).encode()), fingerprint=self._fingerprint())

    def _fingerprint(self) -> str:
        """Equal for bodies that say the same, however they are written: 500 and 500.00."""
        plain = orjson.loads(jsonbody.dumps(_numbers_as_text(self.request.data)))
        return _digest(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS))


def _numbers_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _numbers_as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers_as_text(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return {"number": jsonbody.dumps(value).decode()}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class FilterBackend(DjangoFilterBackend):
    """django-filter whose mistakes are errors: a filter that is unknown or wrong is refused."""

    def get_filterset(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        """The filters of the view; None where it has none."""
        known = {"limit", "cursor", ORGANIZATION_ID}
        filterset = super().get_filterset(request, queryset, view)
        if filterset is not None:
            known |= set(filterset.filters)
        unknown = {
            name: [f"is not a known filter. Known: {', '.join(sorted(known))}."]
            for name in request.query_params
            if name not in known
        }
        if unknown:
            raise serializers.ValidationError(unknown, code="unknown_filter")
        return filterset


class ListView(View, ListAPIView):
    """A list with filters and keyset pages; ``rows`` says which rows exist for the caller."""

    pagination_class = KeysetPagination
    filter_backends: Sequence[Any] = (FilterBackend,)
    filterset_class: type[FilterSet] | None = None
    keyset: Sequence[str] = ("id",)

    def rows(self) -> QuerySet[Any]:
        """The rows the caller may see; raises ``Refused``."""
        raise NotImplementedError

    def shown_with(self, page: Sequence[Any]) -> dict[str, Any]:
        """What the output needs beside the rows of the page: a fixed number of statements."""
        return {}

    def get_queryset(self) -> QuerySet[Any]:
        """``rows``; nothing while the schema is generated."""
        if getattr(self, "swagger_fake_view", False):
            rows: QuerySet[Any] = super().get_queryset()
            return rows
        return self.rows()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One page of the filtered rows."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        output = self.get_serializer(page, many=True, context=self.shown_with(page))
        return self.get_paginated_response(output.data)
