"""A waiting hold as JSON, so that another process can carry it out: the approval of its ticket."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from wallets.ledger.operations import Candidate, CounterUse, Extend, Ref, Reserve

_PLAIN = (
    "actor", "kind", "request_id", "team_id", "user_id", "consumer_group_id", "key_id", "provider",
    "model", "facts",
)  # fmt: skip


def packed(operation: Reserve | Extend) -> dict[str, Any]:
    """What a ``Waiter`` keeps besides its columns; nothing of an extension, whose hold is there."""
    if isinstance(operation, Extend):
        return {}
    return {
        **{name: getattr(operation, name) for name in _PLAIN},
        "ttl": None if operation.ttl is None else operation.ttl.total_seconds(),
        "counters": [_use(use) for use in operation.counters],
        "candidates": [
            {
                "wallet": candidate.wallet.id,
                "rank": candidate.wallet.rank,
                "counters": [_use(use) for use in candidate.counters],
            }
            for candidate in operation.candidates
        ],
    }


def unpacked(payload: Mapping[str, Any], *, id: UUID, organization_id: int, amount: int) -> Reserve:
    """The hold that was packed; it waits for nothing."""
    ttl = payload["ttl"]
    return Reserve(
        id=id,
        organization_id=organization_id,
        amount=amount,
        ttl=None if ttl is None else timedelta(seconds=ttl),
        counters=_uses(payload["counters"]),
        candidates=tuple(
            Candidate(
                wallet=Ref(id=row["wallet"], rank=row["rank"]), counters=_uses(row["counters"])
            )
            for row in payload["candidates"]
        ),
        **{name: payload[name] for name in _PLAIN},
    )


def _use(use: CounterUse) -> dict[str, Any]:
    return {**asdict(use), "period_start": use.period_start.isoformat()}


def _uses(rows: list[dict[str, Any]]) -> tuple[CounterUse, ...]:
    known = {field.name for field in fields(CounterUse)}
    return tuple(
        CounterUse(
            **{
                **{name: value for name, value in row.items() if name in known},
                "period_start": datetime.fromisoformat(row["period_start"]),
            }
        )
        for row in rows
    )
