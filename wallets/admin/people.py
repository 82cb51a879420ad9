"""Organisations, teams and who is in them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from wallets import audit, revisions
from wallets.admin import display
from wallets.admin.base import TenantAdmin
from wallets.admin.operation import Operation
from wallets.admin.operations import keys as key_operations
from wallets.admin.operations import organizations, teams
from wallets.models import (
    CostCentre,
    Membership,
    Organization,
    ServiceAccount,
    Team,
    TeamMembership,
    User,
)
from wallets.permissions import Action
from wallets.staff import actor_of, visible

# Roles say what people may do; Django's groups would only seem to.
admin.site.unregister(Group)


@admin.register(Organization)
class OrganizationAdmin(TenantAdmin):
    """The tenants."""

    organization_lookup = "pk"
    list_display = (
        *("name", "slug", "status", "funding_mode", "time_zone"),
        display.column("monthly_credit_limit"),
    )
    list_filter = ("status", "funding_mode")
    search_fields = ("name", "slug", "public_id")
    money = ("monthly_credit_limit",)
    operations: ClassVar[Sequence[type[Operation]]] = (
        *(organizations.CreateOrganization, organizations.ChangeOrganization),
        *(organizations.CreateTeam, organizations.CreatePerson),
        *(organizations.CreateServiceAccount, organizations.IssueOwnToken),
        *(organizations.SetLimit, organizations.PullStop),
    )


@admin.register(Team)
class TeamAdmin(TenantAdmin):
    """Teams; their money is on their wallet."""

    view_action = Action.TEAMS_READ
    list_display = ("name", "slug", "organization", "archived_at", "created_at")
    list_filter = ("organization", ("archived_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization",)
    search_fields = ("name", "slug")
    operations = (
        *(teams.RenameTeam, teams.AddToTeam, teams.CreateUserWallet, teams.CreateGroup),
        *(teams.IssuePersonalKey, teams.LimitTeam, teams.SetCostCentre, teams.ArchiveTeam),
    )


@admin.register(CostCentre)
class CostCentreAdmin(TenantAdmin):
    """Cost centre codes of teams, from a day on."""

    organization_lookup = "team__organization"
    view_action = Action.TEAMS_READ
    list_display = ("team", "code", "valid_from")
    list_filter = ("team",)
    list_select_related = ("team__organization",)
    search_fields = ("code", "team__name", "team__slug")
    date_hierarchy = "valid_from"


@admin.register(Membership)
class MembershipAdmin(TenantAdmin):
    """Who belongs to an organisation, and as what."""

    view_action = Action.MEMBERS_READ
    list_display = ("user", "organization", "role", "created_at")
    list_filter = ("role", "organization")
    list_select_related = ("user", "organization")
    search_fields = ("user__username", "user__email", "user__public_id")
    operations = (teams.SetRole, teams.RemoveMember)


@admin.register(TeamMembership)
class TeamMembershipAdmin(TenantAdmin):
    """Who is in a team, and as what."""

    view_action = Action.MEMBERS_READ
    list_display = ("user", "team", "role", "organization", "created_at")
    list_filter = ("role", "team", "organization")
    list_select_related = ("user", "team__organization", "organization")
    search_fields = ("user__username", "user__email", "team__slug")
    operations = (teams.RemoveFromTeam,)


@admin.register(ServiceAccount)
class ServiceAccountAdmin(TenantAdmin):
    """Clients that are no person."""

    view_action = Action.TOKENS_READ
    list_display = ("name", "organization", "role", "disabled_at", "created_at")
    list_filter = ("role", "organization", ("disabled_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization",)
    search_fields = ("name", "public_id")
    operations = (key_operations.IssueAccountToken, teams.DisableServiceAccount)


AUDITED = ("is_active", "is_superuser")
FOUND = 302


@admin.register(User)
class PersonAdmin(TenantAdmin, UserAdmin):
    """People. Their account is the platform's; organisations see who is theirs."""

    view_action = Action.MEMBERS_READ
    list_display = ("username", "email", "is_active", "last_login", "public_id")
    list_filter = ("is_active",)
    search_fields = ("username", "email", "first_name", "last_name", "public_id")
    ordering = ("username",)
    readonly_fields = ("public_id", "is_staff", "last_login", "date_joined")
    filter_horizontal = ()
    add_form_template = None
    change_user_password_template = None
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("username", "password", "public_id")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    seen_by_organizations: ClassVar[Any] = (
        (None, {"fields": ("username", "public_id")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "last_login")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Members of the organisations where this person may see members."""
        rows: QuerySet[User] = admin.ModelAdmin.get_queryset(self, request)
        if actor_of(request).platform:
            return rows
        seen = visible(request, self.view_action)
        mine = Membership.objects.filter(user=OuterRef("pk"), organization__in=seen)
        return rows.filter(Exists(mine))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Platform administrators; organisations create people on their own page."""
        return actor_of(request).platform

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Platform administrators."""
        return actor_of(request).platform

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """An organisation sees the person, not their account."""
        if not actor_of(request).platform:
            return self.seen_by_organizations
        return self.add_fieldsets if obj is None else self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """What nobody types."""
        return self.readonly_fields

    def save_model(
        self, request: HttpRequest, obj: User, form: "ModelForm[User]", change: bool
    ) -> None:
        """Save, and write the change of rights to the audit log, without names."""
        before = User.objects.filter(pk=obj.pk).values(*AUDITED).first()
        if obj.is_superuser:
            obj.is_staff = True
        super().save_model(request, obj, form, change)
        after = {**audit.facts(obj, AUDITED), "fields": sorted(form.changed_data)}
        _written(request, "user.change" if change else "user.create", obj, before, after)
        revisions.bump()

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        """Another's password: written to the audit log as a fact."""
        with transaction.atomic():
            answer: HttpResponse = super().user_change_password(request, id, form_url)
            user = self.get_object(request, id)
            if user is not None and request.method == "POST" and answer.status_code == FOUND:
                _written(request, "user.password", user)
        return answer


def _written(
    request: HttpRequest,
    action: str,
    user: User,
    before: audit.Facts | None = None,
    after: audit.Facts | None = None,
) -> None:
    actor = actor_of(request)
    audit.record(
        organization=None,
        actor=actor.public_id,
        action=action,
        target=user.public_id,
        before=before,
        after=after,
        address=actor.address,
    )
