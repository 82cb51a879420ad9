"""A gateway with a fake provider, an organisation, and a team that can pay."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.models import DecisionEvent
from tests import factories
from tests.fakes.upstream import FakeUpstream
from tests.gateway.serving import RunningGateway, eventually
from wallets.models import Organization, Reservation, Team, Wallet

KEY = "kt_cg_engineering_abc123"


@dataclass
class World:
    """An organisation with one team and a key, and the provider behind the gateway."""

    organization: Organization
    team: Team
    key: str
    upstream: FakeUpstream

    @property
    def wallet(self) -> Wallet:
        """The team's wallet as it is now."""
        return factories.team_wallet(self.team)

    def policy(self, **changes: Any) -> dict[str, Any]:
        """A policy file with one target and one consumer group."""
        target = {"id": "openai", "provider": "openai", "base_url": self.upstream.url}
        group = {
            "name": "engineering",
            "api_key": self.key,
            "wallet_team_id": f"team_{self.team.slug}",
        }
        return {
            "version": "1",
            "organization": self.organization.slug,
            "providers": {"targets": [target | changes.pop("target", {})]},
            "consumer_groups": [group | changes.pop("group", {})],
            **changes,
        }

    def event(self, **filters: Any) -> DecisionEvent:
        """The only event that fits, once it is there."""
        eventually(lambda: DecisionEvent.objects.filter(**filters).exists(), what=f"{filters}")
        return DecisionEvent.objects.get(**filters)

    def closed(self) -> None:
        """Wait until no hold is open."""
        eventually(
            lambda: not Reservation.objects.filter(state="held").exists(), what="no open holds"
        )


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as server:
        yield server


@pytest.fixture
def world(db: None, upstream: FakeUpstream) -> World:
    organization = factories.make_organization("acme", credit=100)
    team = factories.make_team(organization, "engineering", balance=10, draws_on_parent=False)
    return World(organization, team, KEY, upstream)


Serve = Callable[..., RunningGateway]


@pytest.fixture
def serve(world: World, tmp_path: Path) -> Iterator[Serve]:
    """Starts gateways; ``serve(cost_tracking={...})`` changes the policy file."""
    running: list[RunningGateway] = []

    def start(**changes: Any) -> RunningGateway:
        directory = tmp_path / str(len(running))
        directory.mkdir()
        gateway = RunningGateway(world.policy(**changes), directory)
        running.append(gateway)
        return gateway.__enter__()

    yield start
    for gateway in running:
        gateway.stop()
