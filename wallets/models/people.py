"""Who there is: organisations, teams, people and the roles that tie them together."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from wallets.models.base import TenantQuerySet, public_id_field

SLUG = r"^[a-z0-9][a-z0-9-]{0,62}$"


class User(AbstractUser):
    """A person who signs in. May belong to several organisations, in each with one role.

    ``is_superuser`` is the platform administrator: every organisation, model prices, payments.
    """

    public_id = public_id_field("user")
    email = models.EmailField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["email"],
                name="user_email_unique",
                condition=~models.Q(email=""),
                violation_error_message="Another person has this e-mail address.",
            )
        ]


class Organization(models.Model):
    """The tenant: owns teams, people, keys and one wallet, and pays in advance."""

    class FundingMode(models.TextChoices):
        """Who may put money into the organisation wallet."""

        PREPAID = "prepaid", "Prepaid: payments and platform administrators only"
        INTERNAL = "internal", "Internal: billing admins may credit"

    class Status(models.TextChoices):
        """Whether the organisation is served at all."""

        ACTIVE = "active"
        CLOSED = "closed"

    public_id = public_id_field("org")
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    time_zone = models.CharField(
        max_length=64, default="UTC", help_text="IANA name; periods follow it."
    )
    funding_mode = models.CharField(max_length=10, choices=FundingMode, default=FundingMode.PREPAID)
    monthly_credit_limit = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Nano-dollars billing admins may credit a month; empty: no limit.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def organization_id(self) -> int:
        """Its own primary key, so that an organisation is scoped like its rows."""
        return self.pk


class Team(models.Model):
    """A group of people with a wallet of its own. Public id: ``team_<slug>`` inside its
    organisation.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="teams")
    slug = models.SlugField(max_length=63)
    name = models.CharField(max_length=200)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "slug"], name="team_slug_unique_in_organization"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        """``team_<slug>``: meaningful only inside the organisation."""
        return f"team_{self.slug}"


class CostCentre(models.Model):
    """The cost centre code of a team from a day on; the newest that has begun is in force."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="cost_centres")
    code = models.CharField(max_length=64)
    valid_from = models.DateField()

    class Meta:
        ordering = ["team", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "valid_from"], name="cost_centre_one_per_team_and_day"
            )
        ]

    def __str__(self) -> str:
        return self.code


class Membership(models.Model):
    """A person in an organisation, with the role that says what they may do there."""

    class Role(models.TextChoices):
        """Roles of an organisation, strongest first."""

        ADMIN = "admin", "Organisation admin"
        BILLING_ADMIN = "billing_admin", "Billing admin"
        AUDITOR = "auditor", "Auditor"
        MEMBER = "member", "Member"

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role, default=Role.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"], name="membership_one_per_person"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization}: {self.role}"


class TeamMembership(models.Model):
    """A person in a team: leads look after the team's money, members spend it."""

    class Role(models.TextChoices):
        """Roles of a team."""

        LEAD = "lead", "Team lead"
        MEMBER = "member", "Member"

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="team_memberships")
    team = models.ForeignKey(Team, models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, models.PROTECT, related_name="team_memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "user"], name="team_membership_one_per_person")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}: {self.role}"


class ServiceAccount(models.Model):
    """A client that is no person: its tokens outlive people."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="service_accounts")
    public_id = public_id_field("svc")
    name = models.CharField(max_length=200)
    role = models.CharField(max_length=20, choices=Membership.Role, default=Membership.Role.MEMBER)
    disabled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"], name="service_account_name_unique"
            )
        ]

    def __str__(self) -> str:
        return self.name
