"""Between the model's dicts and the ledger's records and rows."""

from datetime import timedelta
from typing import Any

from keeptrusts.lib.ids import uuid7
from tests.wallets.ledger.model import Model, Op
from tests.wallets.ledger.world import FAR, Tenant
from wallets import ledger
from wallets.ledger import Candidate, Claimed, CounterUse, Leg, Ref, Result, Waiting
from wallets.models import Entry, Reservation, Waiter, Wallet


def real(op: Op, model: Model) -> ledger.Operation:
    """The ledger's operation for the model's ``op``."""

    def ref(id: int) -> Ref:
        return Ref(id=id, rank=model.wallets[id]["rank"])

    def uses(pairs: list[tuple[str, int]]) -> tuple[CounterUse, ...]:
        return tuple(
            CounterUse(key=key, organization_id=op["org"], period_start=FAR, cap=cap)
            for key, cap in pairs
        )

    claim = Claimed(key=op["claim"], fingerprint=op["fingerprint"]) if op.get("claim") else None
    base: dict[str, Any] = {"organization_id": op["org"], "claim": claim}
    reasons = frozenset(op.get("waiting", ()))
    # So long that none lapses in the middle: places die where a rule says so.
    waiting = Waiting(reasons=reasons, lease=timedelta(hours=1)) if reasons else None
    match op["do"]:
        case "reserve":
            return ledger.Reserve(
                **base, id=op["hold"], amount=op["amount"], kind=op.get("kind", "usage"),
                candidates=tuple(
                    Candidate(wallet=ref(id), counters=uses(caps)) for id, caps in op["candidates"]
                ),
                counters=uses(op["uses"]), ttl=timedelta(0) if op["due"] else ledger.TTL,
                waiting=waiting, last=op.get("last", False),
            )  # fmt: skip
        case "extend":
            return ledger.Extend(
                **base, id=op["hold"], part=op["part"], amount=op["amount"],
                counters=uses(op["uses"]), waiting=waiting,
            )  # fmt: skip
        case "move":
            to = real(op["to"], model)
            assert isinstance(to, ledger.Reserve)
            return ledger.Move(**base, id=op["hold"], to=to)
        case "settle":
            return ledger.Settle(**base, id=op["hold"], cost=op["cost"])
        case "refund":
            return ledger.Refund(**base, id=op["hold"])
        case "sweep":
            older_than = timedelta(0) if op["all"] else None
            return ledger.Sweep(**base, id=op["hold"], older_than=older_than)
        case "heartbeat":
            return ledger.Heartbeat(**base, id=op["hold"], checkpoint=op["checkpoint"])
        case "adjust":
            return ledger.Adjust(**base, id=op["hold"], amount=op["amount"])
        case "credit":
            return ledger.Credit(
                **base, wallet=ref(op["wallet"]), amount=op["amount"], type=op["type"],
                reference=op.get("reference"),
            )  # fmt: skip
        case "payment_refund":
            return ledger.PaymentRefund(
                **base, wallet=ref(op["wallet"]), amount=op["amount"], reference=op["reference"],
                reservation=op.get("hold"),
            )  # fmt: skip
        case "transfer":
            legs = tuple(Leg(source=ref(s), target=ref(t), amount=a) for s, t, a in op["legs"])
            return ledger.Transfer(**base, id=uuid7(), legs=legs, reason=op["reason"])
        case "expire":
            due = op["amount"]
            return ledger.Expire(**base, wallet=ref(op["wallet"]), compute=lambda _row: due)
    raise AssertionError(op["do"])


def answer_of(result: Result) -> dict[str, Any]:
    """A result in the model's words."""
    if result.refusal:
        return {"code": result.refusal.code}
    return {
        "code": "", "state": result.state, "wallet": result.wallet_id or 0,
        "amount": result.amount, "charged": result.charged, "written_off": result.written_off,
        "replayed": result.replayed,
    }  # fmt: skip


def wallets_of(tenant: Tenant) -> dict[int, dict[str, int]]:
    ranks = {ref.id: ref.rank for ref in tenant.refs.values()}
    return {
        w.pk: {
            "id": w.pk, "org": w.organization_id, "rank": ranks[w.pk], "posted": w.posted,
            "reserved": w.reserved, "debt": w.debt, "seq": w.seq, "allocated": w.total_allocated,
            "spent": w.total_spent, "funded": w.funded_balance, "frozen": int(w.frozen),
        }
        for w in Wallet.objects.filter(organization=tenant.id)
    }  # fmt: skip


def entries_of(tenant: Tenant) -> list[tuple[Any, ...]]:
    rows = Entry.objects.filter(organization=tenant.id).order_by("wallet_id", "seq")
    return list(
        rows.values_list(
            "wallet_id", "seq", "type", "d_posted", "d_reserved", "d_debt", "posted_after",
            "reserved_after", "debt_after", "contra", "reason", "reservation", "part", "reference",
        )
    )  # fmt: skip


def holds_of(*tenants: Tenant) -> dict[Any, dict[str, Any]]:
    rows = Reservation.objects.filter(organization__in=[tenant.id for tenant in tenants])
    return {
        r.pk: {
            "org": r.organization_id, "wallet": r.wallet_id, "kind": r.kind, "state": r.state,
            "amount": r.amount, "parts": r.parts, "checkpoint": r.checkpoint, "cost": r.cost,
            "charged": r.charged, "written_off": r.written_off, "adjusted": r.adjusted,
            "adjustments": r.adjustments, "counters": r.counters,
        }
        for r in rows
    }  # fmt: skip


def places_of(*tenants: Tenant) -> dict[Any, dict[str, Any]]:
    rows = Waiter.objects.filter(organization__in=[tenant.id for tenant in tenants])
    return {
        q.pk: {
            "org": q.organization_id, "wallet": q.wallet_id, "part": q.part, "amount": q.amount,
            "reason": q.reason, "dismissed": q.dismissed,
        }
        for q in rows
    }  # fmt: skip
