"""People in organisations and teams, and their roles there."""

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from wallets import permissions
from wallets.errors import Conflict, Forbidden, InvalidInput, NotFound
from wallets.models import (
    ApiToken,
    GatewayKey,
    Membership,
    Organization,
    Team,
    TeamMembership,
    User,
)
from wallets.people import checks
from wallets.permissions import Action
from wallets.tenancy import Actor


@transaction.atomic
def create_person(
    *,
    actor: Actor,
    organization: Organization,
    username: str,
    email: str = "",
    password: str | None = None,
    role: str = Membership.Role.MEMBER,
) -> User:
    """Make a person who signs in, as a member of the organisation. No password: they cannot yet.

    Raises InvalidInput (``username``, ``email``, ``password``, ``role``), Forbidden, NotFound.
    """
    permissions.require(actor, Action.MEMBERS_MANAGE, organization=organization)
    user = User(username=username.strip(), email=User.objects.normalize_email(email.strip()))
    _check_person(user, password)
    user.set_password(password)
    # Somebody else may have taken the name or the address since the check.
    with checks.unique("The user name or e-mail address is taken.", code="person_exists"):
        user.save()
    _join(actor, organization, user, role)
    return user


@transaction.atomic
def add_member(
    *, actor: Actor, organization: Organization, user: User, role: str = Membership.Role.MEMBER
) -> Membership:
    """Bring somebody in whom the actor knows from another organisation; the platform knows all.

    Raises InvalidInput ``role``, Conflict (``already_member``), Forbidden, NotFound.
    """
    permissions.require(actor, Action.MEMBERS_MANAGE, organization=organization)
    known = Membership.objects.filter(user=user, organization_id__in=list(actor.memberships))
    if not actor.platform and not known.exists():
        raise NotFound("There is no such person.")
    with checks.unique("This person is a member already.", code="already_member"):
        return _join(actor, organization, user, role)


@transaction.atomic
def set_role(*, actor: Actor, organization: Organization, user: User, role: str) -> Membership:
    """Change somebody's role. The last admin keeps theirs (Conflict ``last_admin``)."""
    permissions.require(actor, Action.MEMBERS_MANAGE, organization=organization)
    _check_role(actor, organization, role)
    membership = _locked(organization, user)
    if role != Membership.Role.ADMIN:
        _keep_an_admin(membership)
    checks.change(
        actor,
        organization,
        membership,
        {"role": role},
        action="member.role",
        target=user.public_id,
    )
    _sync_staff(user)
    return membership


@transaction.atomic
def remove_member(*, actor: Actor, organization: Organization, user: User) -> None:
    """Take somebody out: their teams, personal keys and tokens of this organisation end with it.

    Their wallets stay until they are reclaimed. Raises Conflict (``last_admin``), NotFound.
    """
    permissions.require(actor, Action.MEMBERS_MANAGE, organization=organization)
    membership = _locked(organization, user)
    _keep_an_admin(membership)
    teams = TeamMembership.objects.for_organization(organization).filter(user=user)
    before = {"role": membership.role, "teams": [f"team_{slug}" for slug in _slugs(teams)]}
    now = timezone.now()
    for model in (ApiToken, GatewayKey):
        model.objects.filter(organization=organization, user=user, revoked_at=None).update(
            revoked_at=now
        )
    teams.delete()
    membership.delete()
    _sync_staff(user)
    checks.written(
        actor, organization, action="member.remove", target=user.public_id, before=before
    )


@transaction.atomic
def add_to_team(
    *, actor: Actor, team: Team, user: User, role: str = TeamMembership.Role.MEMBER
) -> TeamMembership:
    """Put a member of the organisation into a team, or change their role there.

    Only who manages the whole organisation appoints or changes a lead. Raises InvalidInput,
    Conflict (``team_archived``), Forbidden, NotFound.
    """
    organization = team.organization
    permissions.require(actor, Action.MEMBERS_MANAGE, organization=organization, team=team)
    checks.choice(role, TeamMembership.Role, field="role")
    if team.archived_at is not None:
        raise Conflict("The team is archived.", code="team_archived")
    if not Membership.objects.filter(organization=organization, user=user).exists():
        raise NotFound("There is no such person.")
    before = TeamMembership.objects.filter(team=team, user=user).first()
    _check_lead(actor, organization, role, before)
    if before is not None and before.role == role:
        return before
    membership, _ = TeamMembership.objects.update_or_create(
        team=team, user=user, defaults={"organization": organization, "role": role}
    )
    checks.written(
        actor,
        organization,
        action="team.member",
        target=f"{team.public_id}/{user.public_id}",
        before={"role": before.role} if before else None,
        after={"role": role},
    )
    return membership


@transaction.atomic
def remove_from_team(*, actor: Actor, team: Team, user: User) -> None:
    """Take somebody out of a team; their personal keys there are revoked. Raises NotFound."""
    organization = team.organization
    permissions.require(actor, Action.MEMBERS_MANAGE, organization=organization, team=team)
    membership = TeamMembership.objects.filter(team=team, user=user).first()
    if membership is None:
        raise NotFound("This person is not in the team.")
    _check_lead(actor, organization, TeamMembership.Role.MEMBER, membership)
    before = {"role": membership.role}
    membership.delete()
    GatewayKey.objects.filter(team=team, user=user, revoked_at=None).update(
        revoked_at=timezone.now()
    )
    checks.written(
        actor,
        organization,
        action="team.member",
        target=f"{team.public_id}/{user.public_id}",
        before=before,
    )


def _check_person(user: User, password: str | None) -> None:
    try:
        User.username_validator(user.username)
    except ValidationError as error:
        raise InvalidInput("username", " ".join(error.messages)) from None
    if not 0 < len(user.username) <= 150:
        raise InvalidInput("username", "must have 1 to 150 characters.")
    if User.objects.filter(username__iexact=user.username).exists():
        raise InvalidInput("username", "is taken: choose another.")
    if user.email:
        _check_email(user.email)
    if password is not None:
        try:
            password_validation.validate_password(password, user)
        except ValidationError as error:
            raise InvalidInput("password", " ".join(error.messages)) from None


def _check_email(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidInput("email", " ".join(error.messages)) from None
    if User.objects.filter(email__iexact=email).exists():
        raise InvalidInput("email", "belongs to another person.")


def _check_role(actor: Actor, organization: Organization, role: str) -> None:
    checks.choice(role, Membership.Role, field="role")
    if not permissions.grantable(actor, role, organization=organization):
        raise Forbidden("You cannot grant rights you do not have.", code="rights_exceeded")


def _check_lead(
    actor: Actor, organization: Organization, role: str, before: TeamMembership | None
) -> None:
    lead = TeamMembership.Role.LEAD
    if role == lead or (before is not None and before.role == lead):
        permissions.require(actor, Action.MEMBERS_MANAGE, organization=organization)


def _join(actor: Actor, organization: Organization, user: User, role: str) -> Membership:
    _check_role(actor, organization, role)
    membership = Membership.objects.create(organization=organization, user=user, role=role)
    _sync_staff(user)
    checks.written(
        actor, organization, action="member.add", target=user.public_id, after={"role": role}
    )
    return membership


def _locked(organization: Organization, user: User) -> Membership:
    """The membership, with the organisation locked so that two admins cannot leave at once."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    membership = Membership.objects.filter(organization=organization, user=user).first()
    if membership is None:
        raise NotFound("There is no such person.")
    return membership


def _keep_an_admin(membership: Membership) -> None:
    admins = Membership.objects.filter(
        organization_id=membership.organization_id,
        role=Membership.Role.ADMIN,
        user__is_active=True,
    )
    if membership.role == Membership.Role.ADMIN and not admins.exclude(pk=membership.pk).exists():
        raise Conflict(
            "The last admin of an organisation stays: make somebody else admin first.",
            code="last_admin",
        )


def _sync_staff(user: User) -> None:
    """Who has a staff role somewhere may open the admin; nobody else but the platform."""
    staff = (
        user.is_superuser
        or Membership.objects.filter(user=user, role__in=permissions.STAFF_ROLES).exists()
    )
    if user.is_staff != staff:
        user.is_staff = staff
        user.save(update_fields=["is_staff"])


def _slugs(teams: QuerySet[TeamMembership]) -> list[str]:
    return list(teams.values_list("team__slug", flat=True).order_by("team__slug"))
