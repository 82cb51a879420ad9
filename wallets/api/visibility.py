"""Which rows of an organisation exist for a caller, as a filter over team and user columns."""

from django.db.models import Q

from wallets import permissions
from wallets.errors import Forbidden
from wallets.models import Organization, Team
from wallets.permissions import Action
from wallets.tenancy import Actor

NOTHING = Q(pk__in=())


def visible(
    actor: Actor, action: Action, organization: Organization, *, team: str = "team_id",
    user: str = "user_id",
) -> Q:  # fmt: skip
    """All rows where the role allows ``action`` everywhere, else those of own teams and one's own.

    ``team`` and ``user`` name the columns. Raises ``Forbidden`` where nothing could ever be seen.
    """
    if permissions.allows(actor, action, organization=organization):
        return Q()
    seen = NOTHING
    if team:
        seen = Q(**{f"{team}__in": own_teams(actor, action, organization)})
    mine = _own(actor, action, organization)
    if mine and user and actor.user:
        return seen | Q(**{user: actor.user.pk})
    if not mine and not actor.team_roles:
        permissions.require(actor, action, organization=organization)
        raise Forbidden("Your role does not allow this.", action=action.value)
    return seen


def own_teams(actor: Actor, action: Action, organization: Organization) -> list[int]:
    """Primary keys of the teams in which the caller may do ``action``."""
    teams = Team.objects.for_organization(organization).filter(pk__in=list(actor.team_roles))
    return [
        team.pk
        for team in teams
        if permissions.allows(actor, action, organization=organization, team=team)
    ]


def _own(actor: Actor, action: Action, organization: Organization) -> bool:
    return actor.user is not None and permissions.allows(
        actor, action, organization=organization, user=actor.user
    )
