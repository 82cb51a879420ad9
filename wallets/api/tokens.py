"""API tokens, and the service accounts that own some of them."""

from datetime import timedelta

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from keeptrusts.lib.rest.fields import PublicIdField
from wallets import keys, people, tenancy
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
from wallets.errors import Forbidden
from wallets.models import ApiToken, Membership, Organization, ServiceAccount, User
from wallets.permissions import Action


class TokenOutput(CredentialOutput):
    """An API token."""

    user_id = PublicIdField(source="user")
    service_account_id = PublicIdField(source="service_account")
    role = serializers.ChoiceField(choices=Membership.Role.choices)
    scopes = serializers.ListField(child=serializers.CharField())


class NewTokenOutput(TokenOutput):
    """An API token with its secret."""

    secret = serializers.SerializerMethodField(help_text=SECRET_HELP)

    def get_secret(self, token: ApiToken) -> str:
        """The secret."""
        secret: str = self.context["secret"]
        return secret


class TokenInput(OrganizationInput):
    """A new token: your own, or of a service account."""

    service_account_id = serializers.CharField(required=False, max_length=80)
    role = serializers.ChoiceField(choices=Membership.Role.choices)
    scopes = WordsField(required=False, default=list, help_text="Empty: all the role allows.")
    name = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)
    expires_at = ExpiryField()


class TokenFilters(filters.FilterSet):
    """Filters of the token list."""

    user_id = PublicIdFilter(field_name="user__public_id")
    service_account_id = PublicIdFilter(field_name="service_account__public_id")


class Tokens(ListView):
    """The API tokens you may see, without their secrets."""

    queryset = ApiToken.objects.none()
    serializer_class = TokenOutput
    filterset_class = TokenFilters
    keyset = ("-id",)

    def rows(self) -> QuerySet[ApiToken]:
        organization = self.organization()
        seen = visible(self.actor, Action.TOKENS_READ, organization, team="")
        rows = ApiToken.objects.for_organization(organization).filter(seen)
        return rows.select_related("user", "service_account")

    @extend_schema(request=TokenInput, responses={201: NewTokenOutput})
    def post(self, request: Request) -> Response:
        """Create a token. The secret is shown once."""
        values = self.body(TokenInput)
        organization = self.organization(values)
        values.pop("organization_id", None)
        owner = self._owner(organization, values.pop("service_account_id", None))
        token, secret = keys.issue_api_token(
            actor=self.actor, organization=organization, owner=owner, **values
        )
        shown = NewTokenOutput(token, context={"secret": secret}).data
        return Response(shown, status=status.HTTP_201_CREATED)

    def _owner(self, organization: Organization, account_id: str | None) -> User | ServiceAccount:
        if account_id:
            rows = ServiceAccount.objects.all()
            return tenancy.resolve(self.actor, rows, account_id, organization=organization)
        if self.actor.user is None:
            raise Forbidden("A service account's tokens name it: send service_account_id.")
        return self.actor.user


class OneToken(View):
    """One API token."""

    def found(self, token_id: str, organization: Organization) -> ApiToken:
        """The token, if the caller may see it."""
        rows = ApiToken.objects.select_related("user", "service_account", "organization")
        token = tenancy.resolve(
            self.actor, rows, token_id, organization=organization, called="token"
        )
        self.require(Action.TOKENS_READ, organization, user=token.user, named=f"token {token_id}")
        return token

    @extend_schema(parameters=[OrganizationInput], responses=TokenOutput)
    def get(self, request: Request, token_id: str) -> Response:
        """One token, without its secret."""
        token = self.found(token_id, self.organization(self.query()))
        return Response(TokenOutput(token).data)

    @extend_schema(parameters=[OrganizationInput], responses={204: None})
    def delete(self, request: Request, token_id: str) -> Response:
        """Revoke a token at once."""
        token = self.found(token_id, self.organization(self.query()))
        keys.revoke(actor=self.actor, key=token)
        return Response(status=204)


class RotateToken(OneToken):
    """Replacing an API token."""

    http_method_names = ["post"]

    @extend_schema(request=RotateInput, responses={201: NewTokenOutput})
    def post(self, request: Request, token_id: str) -> Response:
        """Replace a token; the old secret goes on working for `overlap_hours`."""
        values = self.body(RotateInput)
        token = self.found(token_id, self.organization(values))
        overlap = timedelta(hours=values["overlap_hours"])
        new, secret = keys.rotate(actor=self.actor, key=token, overlap=overlap)
        shown = NewTokenOutput(new, context={"secret": secret}).data
        return Response(shown, status=status.HTTP_201_CREATED)


class ServiceAccountOutput(serializers.Serializer):
    """A client that is no person."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=Membership.Role.choices)
    disabled_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class ServiceAccountInput(OrganizationInput):
    """A new service account."""

    name = serializers.CharField(max_length=200)
    role = serializers.ChoiceField(choices=Membership.Role.choices, default="member")


class ServiceAccounts(ListView):
    """The service accounts of the organisation."""

    queryset = ServiceAccount.objects.none()
    serializer_class = ServiceAccountOutput

    def rows(self) -> QuerySet[ServiceAccount]:
        organization = self.organization()
        self.require(Action.TOKENS_READ, organization)
        return ServiceAccount.objects.for_organization(organization)

    @extend_schema(request=ServiceAccountInput, responses={201: ServiceAccountOutput})
    def post(self, request: Request) -> Response:
        """Create a service account; make its tokens with POST /v1/tokens."""
        values = self.body(ServiceAccountInput)
        account = people.create_service_account(
            actor=self.actor,
            organization=self.organization(values),
            name=values["name"],
            role=values["role"],
        )
        shown = ServiceAccountOutput(account).data
        return Response(shown, status=status.HTTP_201_CREATED)


class OneServiceAccount(View):
    """One service account."""

    @extend_schema(parameters=[OrganizationInput], responses={204: None})
    def delete(self, request: Request, account_id: str) -> Response:
        """Disable a service account: its tokens are refused from now on."""
        organization = self.organization(self.query())
        rows = ServiceAccount.objects.select_related("organization")
        account = tenancy.resolve(self.actor, rows, account_id, organization=organization)
        people.disable_service_account(actor=self.actor, account=account)
        return Response(status=204)
