"""Which wallet a request means: by wallet, team, or person in a team."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q
from rest_framework import serializers

from keeptrusts.lib.rest.serializers import Input
from wallets import queries
from wallets.errors import InvalidInput, NotFound
from wallets.models import Organization, Wallet

ORGANIZATION = "organization"
ID_LENGTH = 80

Named = Mapping[str, Any]


class TargetInput(Input):
    """Names a wallet: a team's, a person's (with the team where there are several), or by id."""

    team_id = serializers.CharField(required=False, max_length=ID_LENGTH, help_text="`team_<slug>`")
    user_id = serializers.CharField(required=False, max_length=ID_LENGTH, help_text="`user_…`")
    wallet_id = serializers.CharField(required=False, max_length=ID_LENGTH, help_text="`wal_…`")


def wallet(organization: Organization, named: Named) -> Wallet:
    """The wallet that ``team_id``, ``user_id`` or ``wallet_id`` name.

    Raises ``NotFound`` for unknown and foreign ids, ``InvalidInput`` where they say too little.
    """
    return wallets(organization, [named])[0]


def wallets(organization: Organization, lines: Sequence[Named]) -> list[Wallet]:
    """The wallet of every line: one statement for all of them."""
    for named in lines:
        _check(named)
    rows = queries.wallets(organization).filter(
        Q(public_id__in=_given(lines, "wallet_id"))
        | Q(team__slug__in=[_slug(team) for team in _given(lines, "team_id")])
        & Q(scope=Wallet.Scope.TEAM)
        | Q(user__public_id__in=_given(lines, "user_id"))
    )
    found = list(rows)
    return [_match(named, found) for named in lines]


def source(organization: Organization, name: str) -> Wallet:
    """The wallet that ``from`` names: ``organization``, ``team_<slug>`` or ``wal_…``."""
    if name in (ORGANIZATION, organization.public_id):
        return queries.wallets(organization).get(scope=Wallet.Scope.ORGANIZATION)
    return wallet(organization, {"wallet_id" if name.startswith("wal_") else "team_id": name})


def _check(named: Named) -> None:
    team, user, wallet = (named.get(name) for name in ("team_id", "user_id", "wallet_id"))
    if wallet and (team or user):
        raise InvalidInput("wallet_id", "stands alone: leave out team_id and user_id.")
    if not (wallet or team or user):
        raise InvalidInput("team_id", "is needed: say whose wallet, with team_id or user_id.")


def _given(lines: Sequence[Named], name: str) -> set[str]:
    return {named[name] for named in lines if named.get(name)}


def _slug(team_id: str) -> str:
    return team_id.removeprefix("team_")


def _match(named: Named, rows: list[Wallet]) -> Wallet:
    if named.get("wallet_id"):
        found = [row for row in rows if row.public_id == named["wallet_id"]]
        missing = f"There is no wallet {named['wallet_id']}."
    elif named.get("user_id"):
        found = [row for row in rows if row.user and row.user.public_id == named["user_id"]]
        if named.get("team_id"):
            found = [row for row in found if row.team and row.team.slug == _slug(named["team_id"])]
        missing = f"{named['user_id']} has no wallet here; create it with POST /v1/wallets/users."
    else:
        slug = _slug(named["team_id"])
        found = [row for row in rows if row.scope == "team" and row.team and row.team.slug == slug]
        missing = f"There is no team {named['team_id']}."
    if not found:
        raise NotFound(missing)
    if len(found) > 1:
        raise InvalidInput("team_id", "is needed: the person has wallets in several teams.")
    return found[0]
