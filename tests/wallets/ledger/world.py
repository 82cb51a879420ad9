"""Tenants with wallets in whole nano-dollars, and what the tables say."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from keeptrusts.lib.ids import uuid7
from tests import factories
from wallets import ledger
from wallets.ledger import Candidate, CounterUse, Leg, Ref, Result
from wallets.models import Entry, LimitCounter, Reservation, Waiter, Wallet

FAR = datetime(2100, 1, 1, tzinfo=UTC)
"""A period nothing was consumed in, so that counters start at 0."""
MONEY_TABLES = (
    "wallets_wallet", "wallets_entry", "wallets_reservation", "wallets_limitcounter",
    "wallets_claim", "wallets_creditlot", "wallets_auditrecord", "wallets_deadletter",
    "wallets_waiter",
)  # fmt: skip


_latest = uuid7()


def next_id() -> UUID:
    """An id above all before it; within a millisecond, ids fall in any order."""
    global _latest
    made = uuid7()
    while made <= _latest:
        made = uuid7()
    _latest = made
    return made


@dataclass(slots=True)
class Tenant:
    """An organisation with two teams; ``user`` and ``friend`` have wallets in ``team``."""

    id: int
    refs: dict[str, Ref]

    def wallet(self, name: str) -> Wallet:
        return Wallet.objects.get(pk=self.refs[name].id)

    def numbers(self, name: str) -> tuple[int, int, int]:
        """(posted, reserved, debt)"""
        row = self.wallet(name)
        return row.posted, row.reserved, row.debt

    def credit(self, amount: int, name: str = "org", **fields: Any) -> ledger.Credit:
        return ledger.Credit(
            organization_id=self.id, wallet=self.refs[name], amount=amount, **fields
        )

    def move(self, source: str, target: str, amount: int | None, **fields: Any) -> ledger.Transfer:
        leg = Leg(source=self.refs[source], target=self.refs[target], amount=amount)
        return ledger.Transfer(organization_id=self.id, id=uuid7(), legs=(leg,), **fields)

    def reserve(
        self, amount: int, *names: str, id: UUID | None = None, **fields: Any
    ) -> ledger.Reserve:
        candidates = tuple(Candidate(wallet=self.refs[name]) for name in names or ("team",))
        return ledger.Reserve(
            organization_id=self.id,
            id=id or next_id(),
            amount=amount,
            **{"candidates": candidates, **fields},
        )

    def settle(self, id: UUID, cost: int, **fields: Any) -> ledger.Settle:
        return ledger.Settle(organization_id=self.id, id=id, cost=cost, **fields)

    def refund(self, id: UUID) -> ledger.Refund:
        return ledger.Refund(organization_id=self.id, id=id)

    def sweep(self, id: UUID, *, everything: bool = True) -> ledger.Sweep:
        older_than = timedelta(0) if everything else None
        return ledger.Sweep(organization_id=self.id, id=id, older_than=older_than)

    def heartbeat(self, id: UUID, checkpoint: int, **fields: Any) -> ledger.Heartbeat:
        return ledger.Heartbeat(organization_id=self.id, id=id, checkpoint=checkpoint, **fields)

    def extend(self, id: UUID, part: int, amount: int, **fields: Any) -> ledger.Extend:
        return ledger.Extend(organization_id=self.id, id=id, part=part, amount=amount, **fields)

    def move_hold(
        self, id: UUID, amount: int, *names: str, to: UUID | None = None, **fields: Any
    ) -> ledger.Move:
        hold = self.reserve(amount, *names, id=to, **fields)
        return ledger.Move(organization_id=self.id, id=id, to=hold)

    def line(self, name: str = "team") -> list[UUID]:
        """Who waits for a wallet, in turn; lapsed and dismissed places included."""
        rows = Waiter.objects.filter(wallet_id=self.refs[name].id)
        return [row.id for row in sorted(rows, key=lambda row: (row.part == 0, row.id))]

    def adjust(self, id: UUID, amount: int) -> ledger.Adjust:
        return ledger.Adjust(organization_id=self.id, id=id, amount=amount)

    def payment_refund(self, amount: int, reference: str, **fields: Any) -> ledger.PaymentRefund:
        return ledger.PaymentRefund(
            organization_id=self.id,
            amount=amount,
            reference=reference,
            **{"wallet": self.refs["org"], **fields},
        )

    def use(self, cap: int, key: str = "limit", **fields: Any) -> CounterUse:
        return CounterUse(
            key=f"{key}:{self.id}", organization_id=self.id, period_start=FAR, cap=cap, **fields
        )

    def counter(self, key: str = "limit") -> tuple[int, int]:
        """(held, spent)"""
        row = LimitCounter.objects.get(key=f"{key}:{self.id}")
        return row.held, row.spent

    def fund(self, **amounts: int) -> "Tenant":
        """Credit the organisation with all of it, then hand it down."""
        down = {"team": "org", "other": "org", "user": "team", "friend": "team"}
        for name, amount in amounts.items():
            ledger.post_one(self.credit(amount))
            path = [name]
            while path[0] in down:
                path.insert(0, down[path[0]])
            for source, target in zip(path, path[1:], strict=False):
                ledger.post_one(self.move(source, target, amount))
        return self

    def hold(self, amount: int, *names: str, **fields: Any) -> UUID:
        """The id of a hold that was taken."""
        operation = self.reserve(amount, *names, **fields)
        ledger.post_one(operation)
        return operation.id


def make_tenant() -> Tenant:
    organization = factories.make_organization()
    team, other = factories.make_team(organization), factories.make_team(organization)
    people = [factories.make_user(organization) for _ in range(2)]
    wallets = {
        "org": factories.organization_wallet(organization),
        "team": factories.team_wallet(team),
        "other": factories.team_wallet(other),
        "user": factories.make_user_wallet(team, people[0]),
        "friend": factories.make_user_wallet(team, people[1]),
    }
    return Tenant(organization.pk, {name: factories.ref(row) for name, row in wallets.items()})


def tables() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that has to do with money, every column."""
    with connection.cursor() as cursor:
        found = {}
        for table in MONEY_TABLES:
            cursor.execute(f"SELECT * FROM {table} ORDER BY 1")
            found[table] = cursor.fetchall()
    return found


def codes(results: Sequence[Result]) -> list[str]:
    """What became of each: ``ok``, ``replayed``, ``waiting`` or the code of the refusal."""
    return [
        r.refusal.code if r.refusal
        else "waiting" if r.waits
        else "replayed" if r.replayed
        else "ok"
        for r in results
    ]  # fmt: skip


def broken_invariants(*tenants: Tenant) -> list[str]:
    """What is wrong with the books of ``tenants``: promises 1 to 6, computed from the rows anew."""
    found = []
    for tenant in tenants:
        for row in Wallet.objects.filter(organization=tenant.id):
            entries = list(Entry.objects.filter(wallet=row).order_by("seq"))
            found += _wrong_wallet(row, entries)
        found += _wrong_holds(tenant) + _wrong_transfers(tenant)
    return found


def _wrong_wallet(row: Wallet, entries: list[Entry]) -> list[str]:
    found = []
    if not (0 <= row.reserved <= row.posted and row.debt >= 0):
        found.append(f"wallet {row.pk} is overspent")
    after = (0, 0, 0)
    for number, e in enumerate(entries, 1):
        after = (after[0] + e.d_posted, after[1] + e.d_reserved, after[2] + e.d_debt)
        if e.seq != number or after != (e.posted_after, e.reserved_after, e.debt_after):
            found.append(f"entry {row.pk}-{e.seq} does not follow the one before")
    if (row.posted, row.reserved, row.debt, row.seq) != (*after, len(entries)):
        found.append(f"wallet {row.pk} is not its last entry")
    usage = ("usage", "adjustment")
    charged = -sum(e.d_posted - e.d_debt for e in entries if e.contra in usage)
    put_in = sum(e.d_posted - e.d_debt for e in entries if e.contra not in (*usage, "paypal"))
    put_in += sum(e.d_posted - e.d_debt for e in entries if e.type == "payment_capture")
    if charged > put_in:
        found.append(f"wallet {row.pk} was charged {charged} of {put_in}")
    if row.total_spent != charged:
        found.append(f"wallet {row.pk} says it spent {row.total_spent}, not {charged}")
    return found


def _wrong_holds(tenant: Tenant) -> list[str]:
    found = []
    held: Counter[int] = Counter()
    counted: Counter[str] = Counter()
    entries: dict[Any, list[Entry]] = {}
    for entry in Entry.objects.filter(organization=tenant.id, reservation__isnull=False):
        entries.setdefault(entry.reservation, []).append(entry)
    for hold in Reservation.objects.filter(organization=tenant.id):
        parts = sorted(e.part for e in entries.pop(hold.pk, []))
        closing = {"held": [], "settled_late": [30_000]}.get(hold.state, [30_000])
        steps = [part for part in parts if part < 30_001]
        if steps != [*range(hold.parts), *closing]:
            found.append(f"hold {hold.pk} is {hold.state} after {parts}")
        if parts.count(30_001) > (hold.state == "settled_late"):
            found.append(f"hold {hold.pk} was settled late {parts.count(30_001)} times")
        if hold.cost is not None and hold.cost != hold.charged + hold.written_off:
            found.append(f"hold {hold.pk} lost {hold.cost - hold.charged - hold.written_off}")
        if hold.state == "held":
            held[hold.wallet_id] += hold.amount
            counted.update(dict.fromkeys(hold.counters, hold.amount))
    found += [f"entries of {id}, which is no hold" for id in entries]
    for row in Wallet.objects.filter(organization=tenant.id):
        if row.reserved != held[row.pk]:
            found.append(f"wallet {row.pk} reserves {row.reserved}, its holds {held[row.pk]}")
    for counter in LimitCounter.objects.filter(organization_id=tenant.id):
        if counter.held != counted[counter.key]:
            found.append(f"counter {counter.key} holds {counter.held}")
    return found


def _wrong_transfers(tenant: Tenant) -> list[str]:
    sums: Counter[Any] = Counter()
    for entry in Entry.objects.filter(organization=tenant.id, transfer__isnull=False):
        sums[entry.transfer] += entry.d_posted - entry.d_debt
    return [f"transfer {id} is off by {total}" for id, total in sums.items() if total]
