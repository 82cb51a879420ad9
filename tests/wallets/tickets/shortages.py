"""Refusals for tests of cost tickets."""

from datetime import UTC, datetime
from typing import Any

from keeptrusts.lib import ids
from tests.factories import nano, team_wallet
from wallets.models import Team
from wallets.tickets import Shortage

NOON = datetime(2026, 3, 14, 12, 20, tzinfo=UTC)


def shortage(team: Team, *, needed: str = "2", missing: str = "1", **fields: Any) -> Shortage:
    """A request of the team that its wallet (unless told) could not pay."""
    values: dict[str, Any] = {
        "organization_id": team.organization_id,
        "team_id": team.pk,
        "wallet_id": team_wallet(team).pk,
        "needed": nano(needed),
        "missing": nano(missing),
        "request_id": ids.public_id("req"),
        "at": NOON,
    }
    return Shortage(**{**values, **fields})
