"""From keys to callers: keys of the database, and keys that stand in the policy file only."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from gateway.policy import Group, PolicyFile
from gateway.snapshot.cards import (
    Caller,
    OrganizationCard,
    Settings,
    StopCard,
    TeamCard,
    digest,
)
from keeptrusts.lib import money
from wallets.cascade import WalletCard
from wallets.limits import Consumer
from wallets.models import ConsumerGroup, GatewayKey

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Directory:
    """Puts callers together from the rows of one organisation; ``groups`` with archived ones."""

    organization: OrganizationCard
    policy: PolicyFile
    teams: Mapping[int, TeamCard]
    groups: list[ConsumerGroup]
    wallets: Mapping[int, WalletCard]
    stops: Mapping[tuple[str, str], StopCard]

    def __post_init__(self) -> None:
        active = [group for group in self.groups if group.archived_at is None]
        self._groups = {group.pk: group for group in active}
        self._groups_by_name = {group.name: group for group in active}
        self._archived = {
            (group.team_id, group.name) for group in self.groups if group.archived_at is not None
        }
        self._settings = {group.name: group for group in self.policy.groups}
        self._teams_by_slug = {team.slug: team for team in self.teams.values()}
        self._team_wallets, self._user_wallets = self._by_owner()

    def _by_owner(self) -> tuple[dict[int, WalletCard], dict[tuple[int, int], WalletCard]]:
        teams, users = {}, {}
        for card in self.wallets.values():
            if card.user_id is not None and card.team_id is not None:
                users[card.team_id, card.user_id] = card
            elif card.team_id is not None:
                teams[card.team_id] = card
        return teams, users

    def callers(self, keys: Iterable[GatewayKey], *, revoked: set[str]) -> dict[str, Caller]:
        """Callers by digest; a key of the file that the database has revoked is left out."""
        found = {}
        for group in self.policy.groups:
            caller = self._of_file(group)
            if caller is not None and digest(group.api_key) not in revoked:
                found[digest(group.api_key)] = caller
        for key in keys:
            caller = self._of_row(key)
            if caller is not None:
                found[key.digest] = caller
            else:
                found.pop(key.digest, None)
        return found

    def _of_file(self, settings: Group) -> Caller | None:
        team = self._teams_by_slug.get(settings.team_slug)
        if team is None:
            log.warning("consumer group '%s': there is no team of that name", settings.name)
            return None
        if (team.id, settings.name) in self._archived:
            log.warning("consumer group '%s' is archived: its key is refused", settings.name)
            return None
        row = self._groups_by_name.get(settings.name)
        known = row if row is not None and row.team_id == team.id else None
        return self._caller(team, group=known, group_name=settings.name, rules=settings)

    def _of_row(self, key: GatewayKey) -> Caller | None:
        team = self.teams.get(key.team_id)
        group = self._groups.get(key.consumer_group_id) if key.consumer_group_id else None
        if team is None or (key.consumer_group_id and group is None):
            return None
        if key.user is not None and not key.user.is_active:
            return None
        settings = self._settings.get(group.name) if group is not None else None
        return self._caller(
            team,
            group=group,
            group_name=group.name if group else "",
            rules=settings,
            key=key,
        )

    def _caller(
        self,
        team: TeamCard,
        *,
        group: ConsumerGroup | None,
        group_name: str,
        rules: Group | None,
        key: GatewayKey | None = None,
    ) -> Caller:
        user = key.user if key is not None else None
        stops = self._stops(team, group, group_name, key)
        return Caller(
            organization_id=self.organization.id,
            team=team,
            consumer=Consumer(
                organization_id=self.organization.id,
                zone=self.organization.zone,
                team_id=team.id,
                user_id=user.pk if user else None,
                key_id=key.pk if key else None,
                consumer_group_id=group.pk if group else None,
            ),
            wallet=self._wallet(team, user.pk if user else None),
            key_id=key.pk if key else None,
            group_id=group.pk if group else None,
            group_name=group_name,
            user_id=user.pk if user else None,
            user_public_id=user.public_id if user else "",
            expires_at=key.expires_at if key else None,
            allowed_models=_both(
                rules.allowed_models if rules else None, key.allowed_models if key else None
            ),
            default_tags=key.default_tags if key else {},
            settings=self._rules(rules),
            stop=stops[0] if stops else None,
            cut=any(stop.cut for stop in stops),
        )

    def _wallet(self, team: TeamCard, user_id: int | None) -> WalletCard | None:
        own = self._user_wallets.get((team.id, user_id)) if user_id is not None else None
        return own or self._team_wallets.get(team.id)

    def _rules(self, group: Group | None) -> Settings:
        document = self.policy.document
        cost = document.cost_tracking
        own = group if group is not None else cost
        return Settings(
            enforcement=own.wallet_enforcement,
            on_exhausted=own.on_exhausted,
            on_exhausted_stream=cost.on_exhausted_stream,
            hold=own.hold,
            hold_timeout=cost.hold_timeout_seconds,
            contention_wait=cost.contention_wait_seconds,
            allows_unpriced=own.unpriced_models == "allow",
            max_price_ratio=cost.max_price_ratio,
            write_off=money.nanos(round(Decimal(str(cost.write_off_per_day)), 9)),
            fabric_scope=group.fabric_scope if group else document.cache.fabric_scope,
            rate_limits=group.rate_limits if group else document.rate_limit_defaults,
        )

    def _stops(
        self,
        team: TeamCard,
        group: ConsumerGroup | None,
        group_name: str,
        key: GatewayKey | None,
    ) -> list[StopCard]:
        """The switches that stop this caller, the widest first."""
        user = key.user if key is not None else None
        named = [
            ("organization", self.organization.public_id),
            ("team", team.public_id),
            ("consumer_group", group.public_id if group else ""),
            ("consumer_group", group_name),
            ("user", user.public_id if user else ""),
            ("key", key.public_id if key else ""),
        ]
        return [self.stops[name] for name in named if name in self.stops]


def _both(first: frozenset[str] | None, second: list[str] | None) -> frozenset[str] | None:
    """What both lists allow; None allows everything, an empty list nothing."""
    if second is None:
        return first
    return frozenset(second) if first is None else first & frozenset(second)
