"""Gateway keys: of consumer groups and of persons."""

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from keeptrusts.lib.rest.fields import PublicIdField
from wallets import keys, tenancy
from wallets.api.base import ListView, OrganizationInput, View
from wallets.api.credentials import (
    SECRET_HELP,
    CredentialOutput,
    ExpiryField,
    RotateInput,
    WordsField,
)
from wallets.api.filters import PublicIdFilter
from wallets.api.visibility import visible
from wallets.errors import Forbidden, InvalidInput
from wallets.models import ConsumerGroup, GatewayKey, Organization
from wallets.permissions import Action


class KeyOutput(CredentialOutput):
    """A gateway key."""

    team_id = PublicIdField(source="team")
    consumer_group_id = PublicIdField(source="consumer_group")
    user_id = PublicIdField(source="user")
    allowed_models = serializers.ListField(child=serializers.CharField(), allow_null=True)
    default_tags = serializers.DictField(child=serializers.CharField())


class NewKeyOutput(KeyOutput):
    """A gateway key with its secret."""

    secret = serializers.SerializerMethodField(help_text=SECRET_HELP)

    def get_secret(self, key: GatewayKey) -> str:
        """The secret."""
        secret: str = self.context["secret"]
        return secret


class KeyInput(OrganizationInput):
    """A new key: of a consumer group, or (with ``team_id``) your own."""

    consumer_group_id = serializers.CharField(required=False, max_length=80)
    team_id = serializers.CharField(required=False, max_length=80)
    name = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)
    allowed_models = WordsField(required=False, allow_null=True, default=None)
    default_tags = serializers.DictField(
        child=serializers.CharField(max_length=120), required=False, default=dict
    )
    expires_at = ExpiryField()


class KeyFilters(filters.FilterSet):
    """Filters of the key list."""

    team_id = PublicIdFilter(field_name="team__slug", prefix="team_")
    user_id = PublicIdFilter(field_name="user__public_id")
    consumer_group_id = PublicIdFilter(field_name="consumer_group__public_id")
    active = filters.BooleanFilter(method="alive")

    def alive(self, rows: QuerySet[GatewayKey], _name: str, wanted: bool) -> QuerySet[GatewayKey]:
        """Keys that work now, or the others."""
        working = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
        return rows.filter(working if wanted else ~working)


class Keys(ListView):
    """The gateway keys you may see, without their secrets."""

    queryset = GatewayKey.objects.none()
    serializer_class = KeyOutput
    filterset_class = KeyFilters
    keyset = ("-id",)

    def rows(self) -> QuerySet[GatewayKey]:
        organization = self.organization()
        seen = visible(self.actor, Action.KEYS_READ, organization)
        rows = GatewayKey.objects.for_organization(organization).filter(seen)
        return rows.select_related("team", "consumer_group", "user")

    @extend_schema(request=KeyInput, responses={201: NewKeyOutput})
    def post(self, request: Request) -> Response:
        """Create a key of a consumer group, or your own in a team. The secret is shown once."""
        values = self.body(KeyInput)
        organization = self.organization(values)
        values.pop("organization_id", None)
        group_id, team_id = values.pop("consumer_group_id", None), values.pop("team_id", None)
        if bool(group_id) == bool(team_id):
            raise InvalidInput(
                "consumer_group_id", "or team_id is needed: a group's key, or your own in a team."
            )
        key, secret = (
            self._of_group(organization, group_id, values)
            if group_id
            else self._own(organization, team_id, values)
        )
        shown = NewKeyOutput(key, context={"secret": secret}).data
        return Response(shown, status=status.HTTP_201_CREATED)

    def _of_group(
        self, organization: Organization, group_id: str, values: dict[str, Any]
    ) -> tuple[GatewayKey, str]:
        rows = ConsumerGroup.objects.select_related("team", "organization")
        group = tenancy.resolve(
            self.actor, rows, group_id, organization=organization, called="consumer group"
        )
        return keys.issue_group_key(actor=self.actor, group=group, **values)

    def _own(
        self, organization: Organization, team_id: str, values: dict[str, Any]
    ) -> tuple[GatewayKey, str]:
        if self.actor.user is None:
            raise Forbidden("Personal keys are made by the person themself.", code="not_yours")
        team = tenancy.resolve_team(self.actor, team_id, organization=organization)
        return keys.issue_user_key(actor=self.actor, team=team, user=self.actor.user, **values)


class OneKey(View):
    """One gateway key."""

    def found(self, key_id: str, organization: Organization, action: Action) -> GatewayKey:
        """The key, if the caller may."""
        rows = GatewayKey.objects.select_related("team", "consumer_group", "user", "organization")
        key = tenancy.resolve(self.actor, rows, key_id, organization=organization, called="key")
        self.require(action, organization, team=key.team, user=key.user, named=f"key {key_id}")
        return key

    @extend_schema(parameters=[OrganizationInput], responses=KeyOutput)
    def get(self, request: Request, key_id: str) -> Response:
        """One key, without its secret."""
        key = self.found(key_id, self.organization(self.query()), Action.KEYS_READ)
        return Response(KeyOutput(key).data)

    @extend_schema(parameters=[OrganizationInput], responses={204: None})
    def delete(self, request: Request, key_id: str) -> Response:
        """Revoke a key, everywhere within seconds."""
        key = self.found(key_id, self.organization(self.query()), Action.KEYS_READ)
        keys.revoke(actor=self.actor, key=key)
        return Response(status=204)


class RotateKey(OneKey):
    """Replacing a gateway key."""

    http_method_names = ["post"]

    @extend_schema(request=RotateInput, responses={201: NewKeyOutput})
    def post(self, request: Request, key_id: str) -> Response:
        """Replace a key; the old secret goes on working for `overlap_hours`."""
        values = self.body(RotateInput)
        key = self.found(key_id, self.organization(values), Action.KEYS_READ)
        overlap = timedelta(hours=values["overlap_hours"])
        new, secret = keys.rotate(actor=self.actor, key=key, overlap=overlap)
        shown = NewKeyOutput(new, context={"secret": secret}).data
        return Response(shown, status=status.HTTP_201_CREATED)
