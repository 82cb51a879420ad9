"""Proof that the books are right: promises 1 to 6 of ``docs/ledger.md``, checked on the live
database; and that nobody waits unseen or for what is there.

Every check is one statement that returns the rows that break it. All run in one read-only
snapshot, so that live traffic neither disturbs the proof nor waits for it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import F

from wallets import sums, triggers
from wallets.models import Entry, LimitCounter, Reservation, Wallet

SHOWN = 20
"""At most this many broken rows are listed per check."""

CHECKS = {
    "wallet {} is overspent": """
        SELECT id FROM wallets_wallet WHERE reserved < 0 OR reserved > posted OR debt < 0""",
    "wallet {} has a break in its entries at seq {}": """
        SELECT wallet_id, seq FROM (
          SELECT wallet_id, seq, row_number() OVER w AS n,
            posted_after - d_posted - lag(posted_after, 1, 0) OVER w AS posted_gap,
            reserved_after - d_reserved - lag(reserved_after, 1, 0) OVER w AS reserved_gap,
            debt_after - d_debt - lag(debt_after, 1, 0) OVER w AS debt_gap
          FROM wallets_entry WINDOW w AS (PARTITION BY wallet_id ORDER BY seq)
        ) AS chain WHERE n <> seq OR posted_gap <> 0 OR reserved_gap <> 0 OR debt_gap <> 0""",
    "wallet {} differs from its last entry": """
        SELECT w.id FROM wallets_wallet w
        LEFT JOIN wallets_entry e ON e.wallet_id = w.id AND e.seq = w.seq
        WHERE (w.seq > 0 OR w.posted <> 0 OR w.reserved <> 0 OR w.debt <> 0) AND (e.id IS NULL
          OR e.posted_after <> w.posted OR e.reserved_after <> w.reserved OR e.debt_after <>
          w.debt)""",
    "wallet {} has entries after its last one": """
        SELECT w.id FROM wallets_wallet w WHERE EXISTS (
          SELECT 1 FROM wallets_entry e WHERE e.wallet_id = w.id AND e.seq > w.seq)""",
    "wallet {} holds {} but its open holds sum to {}": """
        SELECT w.id, w.reserved, coalesce(h.held, 0) FROM wallets_wallet w
        LEFT JOIN (SELECT wallet_id, sum(amount) AS held FROM wallets_reservation
          WHERE state = 'held' GROUP BY wallet_id) AS h ON h.wallet_id = w.id
        WHERE w.reserved <> coalesce(h.held, 0)""",
    "reservation {} does not match its entries": """
        SELECT r.id FROM wallets_reservation r LEFT JOIN (
          SELECT reservation,
            sum(CASE WHEN part = 0 THEN 1 ELSE 0 END) AS opened,
            sum(CASE WHEN part BETWEEN 1 AND 29999 THEN 1 ELSE 0 END) AS extended,
            sum(CASE WHEN part = 30000 THEN 1 ELSE 0 END) AS closed,
            sum(CASE WHEN part = 30001 THEN 1 ELSE 0 END) AS late,
            sum(CASE WHEN part >= 30002 THEN 1 ELSE 0 END) AS adjusted,
            sum(d_reserved) AS still_held
          FROM wallets_entry WHERE reservation IS NOT NULL GROUP BY reservation
        ) AS e ON e.reservation = r.id
        WHERE coalesce(e.opened, 0) <> 1 OR e.extended <> r.parts - 1
          OR e.closed <> CASE WHEN r.state = 'held' THEN 0 ELSE 1 END
          OR e.late > CASE WHEN r.state = 'settled_late' THEN 1 ELSE 0 END
          OR e.adjusted <> r.adjustments
          OR e.still_held <> CASE WHEN r.state = 'held' THEN r.amount ELSE 0 END""",
    "an entry names reservation {}, which does not exist": """
        SELECT DISTINCT e.reservation FROM wallets_entry e
        LEFT JOIN wallets_reservation r ON r.id = e.reservation
        WHERE e.reservation IS NOT NULL AND r.id IS NULL""",
    "waiter {} is not known to its wallet": """
        SELECT q.id FROM wallets_waiter q JOIN wallets_wallet w ON w.id = q.wallet_id
        WHERE w.waiting_until IS NULL OR w.waiting_until < q.lease_until""",
    "waiter {} has what it waits for, or nothing to wait for": """
        SELECT q.id FROM wallets_waiter q
        LEFT JOIN wallets_reservation r ON r.id = q.id AND r.organization_id = q.organization_id
        WHERE CASE WHEN q.part = 0 THEN r.id IS NOT NULL
          ELSE r.id IS NULL OR r.state <> 'held' OR q.part < r.parts END""",
    "transfer {} does not sum to zero": """
        SELECT transfer FROM wallets_entry WHERE transfer IS NOT NULL
        GROUP BY transfer HAVING sum(d_posted - d_debt) <> 0""",
}
"""What is said of a broken row, and the statement that finds such rows."""


@dataclass(slots=True)
class Report:
    """What was counted and what is wrong; ``ok`` when nothing is."""

    wallets: int = 0
    entries: int = 0
    open_holds: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every check held."""
        return not self.problems

    def __str__(self) -> str:
        verdict = "ok" if self.ok else _count(len(self.problems), "problem")
        return (
            f"checked {_count(self.wallets, 'wallet')}, "
            f"{_count(self.entries, 'entry', 'entries')}, "
            f"{_count(self.open_holds, 'open hold')}: {verdict}"
        )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def verify() -> Report:
    """Check everything and count what was checked."""
    report = Report(problems=[f"trigger {name} is missing" for name in triggers.missing()])
    with _snapshot():
        report.wallets = Wallet.objects.count()
        report.entries = Entry.objects.count()
        report.open_holds = Reservation.objects.filter(state=Reservation.State.HELD).count()
        for message, sql in CHECKS.items():
            report.problems.extend(_broken(message, sql))
        report.problems.extend(_wrong_totals())
        report.problems.extend(_wrong_counters())
    return report


@contextmanager
def _snapshot() -> Iterator[None]:
    """One consistent view: REPEATABLE READ on PostgreSQL; WAL readers have it on SQLite."""
    if connection.vendor == "postgresql":
        with transaction.atomic():
            if len(connection.savepoint_ids) == 0:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        inside = connection.in_atomic_block
        if not inside:
            cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            if not inside:
                cursor.execute("COMMIT")


def _broken(message: str, sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT {SHOWN}")
        return [message.format(*row) for row in cursor.fetchall()]


def _wrong_totals() -> list[str]:
    """Charged <= money ever put in, and the totals a wallet carries equal the sums of its
    entries.
    """
    whole, rest = sums.parts(F("d_posted") - F("d_debt"))
    flows: dict[int, Counter[str]] = {}
    rows = (
        Entry.objects.values_list("wallet_id", "type").annotate(whole=whole, rest=rest).order_by()
    )
    for wallet, type_, dollars, nanos in rows:
        flows.setdefault(wallet, Counter())[type_] = sums.join(dollars, nanos)
    problems = []
    for wallet, spent in Wallet.objects.values_list("id", "total_spent").iterator():
        flow = flows.get(wallet, Counter())
        charged = -flow["settle"]
        put_in = flow["credit"] + flow["payment_capture"] + flow["allocation_in"]
        if charged - flow["adjustment"] > put_in:
            problems.append(
                f"wallet {wallet} was charged {charged} nano-dollars of {put_in} put in"
            )
        if spent != charged - flow["adjustment"]:
            problems.append(
                f"wallet {wallet} carries total_spent {spent}, its entries say {charged}"
            )
    return problems[:SHOWN]


def _wrong_counters() -> list[str]:
    """Each limit counter holds what the open holds under it hold."""
    held: Counter[str] = Counter()
    rows = Reservation.objects.filter(state=Reservation.State.HELD)
    for keys, amount in rows.values_list("counters", "amount").iterator():
        held.update(dict.fromkeys(keys, amount))
    counters = dict(
        LimitCounter.objects.filter(held__gt=0).values_list("key", "held")
    ) | dict.fromkeys(held, 0)
    counters.update(LimitCounter.objects.filter(key__in=list(held)).values_list("key", "held"))
    return [
        f"limit counter {key} holds {amount} but its open holds sum to {held[key]}"
        for key, amount in sorted(counters.items())
        if amount != held[key]
    ][:SHOWN]
