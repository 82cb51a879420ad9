"""The gateway's database: `python -m bench.gateway.books prepare`, and `... check` afterwards.

Both print one line of JSON.
"""

import json
import sys
from typing import Any

import django


def prepare() -> dict[str, Any]:
    """An empty database gets an organisation and teams; the first one's wallet is the hot one."""
    from bench.world import build
    from wallets.models import Team

    world = build(teams=50)
    teams = Team.objects.filter(organization=world.organization_id).order_by("id")
    return {"organization": "bench", "teams": [f"team_{team.slug}" for team in teams]}


def check() -> dict[str, Any]:
    """What the ledger says about the load: proof of the books, charges and events."""
    from django.db.models import Count, Max, Min, Sum

    from gateway.models import DecisionEvent
    from wallets import verification
    from wallets.models import Reservation

    report = verification.verify()
    charges = Reservation.objects.filter(state="settled").aggregate(
        count=Count("id"), total=Sum("charged"), least=Min("charged"), most=Max("charged")
    )
    return {
        "line": str(report),
        "ok": report.ok,
        "events": DecisionEvent.objects.count(),
        "cached": DecisionEvent.objects.filter(verdict="cached").count(),
        **{name: int(value or 0) for name, value in charges.items()},
    }


def main() -> None:
    """Do what the command line says."""
    django.setup()
    print(json.dumps({"prepare": prepare, "check": check}[sys.argv[1]]()))


if __name__ == "__main__":
    main()
