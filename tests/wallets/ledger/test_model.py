"""Random batches of every kind of operation: the database equals the model, entry for entry."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from keeptrusts.lib.ids import uuid7
from tests.wallets.ledger import world
from tests.wallets.ledger.model import Model, Op
from tests.wallets.ledger.translation import (
    answer_of,
    entries_of,
    holds_of,
    places_of,
    real,
    wallets_of,
)
from wallets import ledger, triggers
from wallets.models import LimitCounter, Waiter, Wallet

pytestmark = [pytest.mark.django_db, pytest.mark.engines, pytest.mark.slow]

WALLETS = st.sampled_from(["org", "team", "other", "user", "friend"])
OWN_OR_FOREIGN = st.one_of(WALLETS, WALLETS, WALLETS, st.just("foreign"))
CASCADES = st.sampled_from(
    [("user", "team", "org"), ("friend", "team", "org"), ("user", "team"), ("team", "org"),
     ("other", "org"), ("user", "org"), ("org",), ("user",), ("team", "foreign")]
)  # fmt: skip
AMOUNTS = st.one_of(st.integers(1, 60), st.sampled_from(["all", "all but one", "one too many"]))
COSTS = st.one_of(st.integers(0, 70), st.just(1_000))
CLAIMS = st.one_of(st.none(), st.none(), st.tuples(st.sampled_from("kl"), st.sampled_from("fg")))
SENDS = st.booleans()
REASONS = st.sampled_from(
    [(), ("contention",), ("contention",), ("exhausted",), ("contention", "exhausted")]
)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Books(RuleBasedStateMachine):
    """One acting organisation, one that must stay as it is; operations gather in batches."""

    holds: Bundle[Any] = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.tenant, self.bystander = world.make_tenant(), world.make_tenant()
        for made in (self.tenant, self.bystander):
            for ref in made.refs.values():
                self.model.add_wallet(ref.id, made.id, ref.rank)
        self.pending: list[Op] = []
        self._settle_in(self.tenant, 160)
        self._settle_in(self.bystander, 300)
        self.asked: dict[Any, Op] = {}
        for names in (("team", "org"), ("team",), ("org",)):
            self._add(self._hold(uuid7(), self.tenant, names, 12))
        self.foreign_hold = uuid7()
        self._add(self._hold(self.foreign_hold, self.bystander, ("team",), 30))
        self._add({"do": "credit", "org": self.bystander.id, "type": "payment_capture", "amount": 7,
                   "wallet": self.bystander.refs["org"].id, "reference": f"r3:{self.tenant.id}"},
                  send=True)  # fmt: skip
        self.untouched = self._of_bystander()

    def _settle_in(self, made: world.Tenant, amount: int) -> None:
        ids = {name: ref.id for name, ref in made.refs.items()}
        self._add({"do": "credit", "org": made.id, "type": "credit", "wallet": ids["org"],
                   "amount": amount}, send=True)  # fmt: skip
        legs = [(ids["org"], ids["team"], amount // 2)]
        self._add({"do": "transfer", "org": made.id, "legs": legs, "reason": "allocation"}, True)

    def _of_bystander(self) -> Any:
        return (wallets_of(self.bystander), entries_of(self.bystander), holds_of(self.bystander))

    def _running(self) -> list[Any]:
        """Own holds that are open, oldest first."""
        held = [id for id, hold in self.model.holds.items() if hold["state"] == "held"]
        return sorted(set(held) - {self.foreign_hold})

    def _id(self, name: str) -> int:
        made = self.bystander if name == "foreign" else self.tenant
        return made.refs["team" if name == "foreign" else name].id

    def _amount(self, amount: int | str, wallet: int) -> int:
        if isinstance(amount, int):
            return amount
        free = self.model.free(wallet)
        return max(1, {"all": free, "all but one": free - 1, "one too many": free + 1}[amount])

    def _uses(self, caps: list[int], kind: str) -> list[tuple[str, int]]:
        return [(f"{kind}{n}:{self.tenant.id}", cap) for n, cap in enumerate(caps)]

    def _hold(self, id: Any, made: world.Tenant, names: tuple[str, ...], amount: int) -> Op:
        candidates = [(made.refs[name].id, []) for name in names]
        return {"do": "reserve", "org": made.id, "hold": id, "amount": amount, "due": False,
                "candidates": candidates, "uses": []}  # fmt: skip

    def _add(self, op: Op, send: bool = False, claim: tuple[str, str] | None = None) -> None:
        if claim is not None:
            op["claim"], op["fingerprint"] = f"{claim[0]}:{self.tenant.id}", claim[1]
        self.pending.append(op)
        if send or len(self.pending) == 8:
            self._send()

    def _send(self) -> None:
        batch, self.pending = self.pending, []
        results = ledger.post([real(op, self.model) for op in batch])
        answers = self.model.post(batch)
        assert [answer_of(r) for r in results] == [
            {key: a.get(key, 0) for key in ("code", "state", "wallet", "amount", "charged",
             "written_off", "replayed")} if not a["code"] else {"code": a["code"]}
            for a in answers
        ]  # fmt: skip
        for result, answer in zip(results, answers, strict=True):
            if result.ok and not result.replayed and "balance" in answer:
                assert result.balance == answer["balance"]
        # Patience is a matter of rules, not of how long this machine takes.
        impatient = [id for id, place in self.model.places.items() if not place["patient"]]
        Waiter.objects.filter(id__in=impatient).update(since=world.FAR)
        self._compare()

    def _compare(self) -> None:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        for made in (self.tenant, self.bystander):
            ids = {ref.id for ref in made.refs.values()}
            assert wallets_of(made) == {id: self.model.wallets[id] for id in ids}
            assert entries_of(made) == sorted(e for e in self.model.entries if e[0] in ids)
        counters = LimitCounter.objects.filter(organization_id=self.tenant.id)
        counted = {c.key: [c.held, c.spent] for c in counters if c.held or c.spent}
        assert counted == {key: row for key, row in self.model.counters.items() if any(row)}
        assert holds_of(self.tenant, self.bystander) == {
            id: {k: v for k, v in hold.items() if k != "due"}
            for id, hold in self.model.holds.items()
        }
        assert places_of(self.tenant, self.bystander) == {
            id: {k: v for k, v in place.items() if k not in ("patient", "dead")}
            for id, place in self.model.places.items()
        }
        assert world.broken_invariants(self.tenant) == []

    @rule(wallet=OWN_OR_FOREIGN, amount=st.integers(1, 120), send=SENDS, claim=CLAIMS,
          reference=st.sampled_from([None, None, "r1", "r2", "r3"]))  # fmt: skip
    def credit(
        self, wallet: str, amount: int, reference: str | None, send: bool, claim: Any
    ) -> None:
        type = "payment_capture" if reference else "credit"
        reference = reference and f"{reference}:{self.tenant.id}"
        self._add({"do": "credit", "org": self.tenant.id, "wallet": self._id(wallet), "type": type,
                   "amount": amount, "reference": reference}, send, claim)  # fmt: skip

    @rule(
        legs=st.lists(
            st.tuples(WALLETS, OWN_OR_FOREIGN, AMOUNTS | st.none()), min_size=1, max_size=3
        ),
        reason=st.sampled_from(["allocation", "reclaim"]),
        send=SENDS,
        claim=CLAIMS,
    )
    def transfer(self, legs: list[Any], reason: str, send: bool, claim: Any) -> None:
        named = [(self._id(s), self._id(t), a and self._amount(a, self._id(s)))
                 for s, t, a in legs if s != t]  # fmt: skip
        if named:
            op = {"do": "transfer", "org": self.tenant.id, "legs": named, "reason": reason}
            self._add(op, send, claim)

    @rule(target=holds, names=CASCADES, amount=AMOUNTS, due=st.booleans(), send=SENDS,
          limits=st.lists(st.sampled_from([0, 40, 150]), max_size=2), claim=CLAIMS,
          caps=st.lists(st.sampled_from([20, 90]), max_size=1),
          kind=st.sampled_from(["usage", "usage", "usage", "dispute"]), waiting=REASONS,
          last=st.sampled_from([False, False, False, True]))  # fmt: skip
    def reserve(
        self, names: tuple[str, ...], amount: Any, due: bool, limits: list[int], caps: list[int],
        kind: str, send: bool, claim: Any, waiting: tuple[str, ...], last: bool,
    ) -> Any:  # fmt: skip
        id = uuid7()
        ids = [self._id(name) for name in names]
        uses = [[], *[self._uses(caps, f"draw{n}-") for n in range(1, len(ids))]]
        # Money held for a refund or a dispute counts towards no limit.
        usage = kind == "usage"
        candidates = [(w, use if usage else []) for w, use in zip(ids, uses, strict=True)]
        op = {"do": "reserve", "org": self.tenant.id, "hold": id, "due": due, "kind": kind,
              "amount": self._amount(amount, ids[-1]), "candidates": candidates,
              "uses": self._uses(limits if usage else [], "limit"), "waiting": waiting,
              "last": last}  # fmt: skip
        self.asked[id] = dict(op)
        self._add(op, send, claim)
        return multiple(id)

    @rule(hold=holds, send=SENDS)
    def ask_again(self, hold: Any, send: bool) -> None:
        if hold in self.asked:
            self._add(dict(self.asked[hold]), send)

    @rule(target=holds, amounts=st.lists(st.integers(10, 40), min_size=2, max_size=4))
    def crowd_a_wallet(self, amounts: list[int]) -> Any:
        """More than the team has, so that somebody has to wait."""
        ids = [uuid7() for _ in amounts]
        for id, amount in zip(ids, amounts, strict=True):
            op = self._hold(id, self.tenant, ("team",), amount) | {"waiting": ("contention",)}
            self.asked[id] = op
            self._add(dict(op))
        return multiple(*ids)

    @rule(shuffled=st.randoms(use_true_random=False), close=st.booleans())
    def everybody_asks_again(self, shuffled: Any, close: bool) -> None:
        """In any order, perhaps after the oldest running hold has come to its end."""
        self._send()
        for id in self._running()[: int(close)]:
            self._add({"do": "settle", "org": self.tenant.id, "hold": id, "cost": 1})
        waiting = sorted(id for id in self.model.places if id in self.asked)
        shuffled.shuffle(waiting)
        for id in waiting:
            self._add(dict(self.asked[id]))

    @rule(amount=st.integers(5, 60), waiting=REASONS, send=SENDS)
    def extend_what_runs(self, amount: int, waiting: tuple[str, ...], send: bool) -> None:
        self._send()
        for id in self._running():
            parts = self.model.holds[id]["parts"]
            uses = [(key, 150) for key in self.model.holds[id]["counters"]]
            self._add({"do": "extend", "org": self.tenant.id, "hold": id, "amount": amount,
                       "part": parts, "uses": uses, "waiting": waiting})  # fmt: skip
        if send:
            self._send()

    @rule(
        how=st.sampled_from(["has waited long", "has died", "was dismissed"]), n=st.integers(0, 9)
    )
    def something_becomes_of_a_place(self, how: str, n: int) -> None:
        self._send()
        for id, place in sorted(self.model.places.items())[n : n + 1]:
            row = Waiter.objects.filter(id=id)
            if how == "has waited long":
                place["patient"] = True
                row.update(since=LONG_AGO)
            elif how == "has died":
                place["dead"] = True
                row.update(lease_until=LONG_AGO)
            else:
                place["dismissed"] = True
                row.update(dismissed=True)

    @rule(target=holds, hold=holds, names=CASCADES, amount=AMOUNTS, send=SENDS,
          limits=st.lists(st.sampled_from([40, 150]), max_size=2), n=st.integers(0, 5))  # fmt: skip
    def move(
        self, hold: Any, names: tuple[str, ...], amount: Any, limits: list[int], send: bool, n: int
    ) -> Any:
        id = uuid7()
        hold = dict(enumerate(self._running())).get(n, hold)
        to = self._hold(id, self.tenant, names[:1], 1) if "foreign" in names else (
            self._hold(id, self.tenant, names, 1)
        )  # fmt: skip
        to["amount"] = self._amount(amount, to["candidates"][-1][0])
        to["uses"] = self._uses(limits, "limit")
        op = {"do": "move", "org": self.tenant.id, "hold": hold, "to": to}
        self._add(op, send)
        return multiple(id)

    @rule(hold=holds, amount=st.integers(1, 60), send=SENDS)
    def reserve_again(self, hold: Any, amount: int, send: bool) -> None:
        known = self.model.holds.get(hold)
        if known and known["kind"] == "usage":
            self._add(self._hold(hold, self.tenant, ("team",), amount), send)

    @rule(hold=holds, part=st.integers(1, 3), amount=AMOUNTS, send=SENDS, waiting=REASONS)
    def extend(
        self, hold: Any, part: int, amount: Any, send: bool, waiting: tuple[str, ...]
    ) -> None:
        known = self.model.holds.get(hold)
        amount = self._amount(amount, known["wallet"] if known else self._id("team"))
        uses = [(key, 150) for key in (known["counters"] if known else [])]
        self._add({"do": "extend", "org": self.tenant.id, "hold": hold, "part": part,
                   "amount": amount, "uses": uses, "waiting": waiting}, send)  # fmt: skip

    @rule(hold=holds, cost=COSTS, send=SENDS, claim=CLAIMS)
    def settle(self, hold: Any, cost: int, send: bool, claim: Any) -> None:
        self._add({"do": "settle", "org": self.tenant.id, "hold": hold, "cost": cost}, send, claim)

    @rule(hold=holds, cost=COSTS, other=COSTS)
    def settle_twice_in_a_batch(self, hold: Any, cost: int, other: int) -> None:
        for amount in (cost, cost, other):
            self._add({"do": "settle", "org": self.tenant.id, "hold": hold, "cost": amount})
        self._send()

    @rule(hold=holds, send=SENDS)
    def refund(self, hold: Any, send: bool) -> None:
        self._add({"do": "refund", "org": self.tenant.id, "hold": hold}, send)

    @rule(hold=holds, everything=st.booleans(), send=SENDS)
    def sweep(self, hold: Any, everything: bool, send: bool) -> None:
        self._add({"do": "sweep", "org": self.tenant.id, "hold": hold, "all": everything}, send)

    @rule(hold=holds, checkpoint=st.integers(0, 70), send=SENDS)
    def heartbeat(self, hold: Any, checkpoint: int, send: bool) -> None:
        self._add({"do": "heartbeat", "org": self.tenant.id, "hold": hold,
                   "checkpoint": checkpoint}, send)  # fmt: skip

    @rule(hold=holds, amount=st.integers(-40, 40).filter(bool), send=SENDS)
    def adjust(self, hold: Any, amount: int, send: bool) -> None:
        op = {"do": "adjust", "org": self.tenant.id, "hold": hold, "amount": amount}
        self._add(op, send)

    @rule(wallet=OWN_OR_FOREIGN, amount=st.integers(1, 200), send=SENDS, claim=CLAIMS,
          reference=st.sampled_from(["p1", "p2", "p3", "p4"]),
          hold=st.one_of(st.none(), st.none(), holds))  # fmt: skip
    def payment_refund(
        self, wallet: str, amount: int, reference: str, hold: Any, send: bool, claim: Any
    ) -> None:
        known = self.model.holds.get(hold)
        id = known["wallet"] if known and wallet != "foreign" else self._id(wallet)
        op = {"do": "payment_refund", "org": self.tenant.id, "wallet": id, "amount": amount,
              "reference": f"{reference}:{self.tenant.id}"}  # fmt: skip
        self._add(op if hold is None else {**op, "hold": hold}, send, claim)

    @rule(wallet=OWN_OR_FOREIGN, amount=st.integers(0, 80), send=SENDS)
    def expire(self, wallet: str, amount: int, send: bool) -> None:
        op = {"do": "expire", "org": self.tenant.id, "wallet": self._id(wallet), "amount": amount}
        self._add(op, send)

    @rule(do=st.sampled_from(["settle", "refund", "sweep", "heartbeat", "extend", "adjust"]))
    def reach_for_a_foreign_hold(self, do: str) -> None:
        self._add({"do": do, "org": self.tenant.id, "hold": self.foreign_hold, "cost": 1,
                   "all": True, "checkpoint": 1, "part": 1, "amount": 1, "uses": []},
                  send=True)  # fmt: skip

    @rule(wallet=WALLETS)
    def freeze_or_unfreeze(self, wallet: str) -> None:
        self._send()
        row = self.model.wallets[self._id(wallet)]
        row["frozen"] = 1 - row["frozen"]
        Wallet.objects.filter(pk=row["id"]).update(frozen=bool(row["frozen"]))

    @invariant()
    def the_bystander_is_untouched(self) -> None:
        if hasattr(self, "untouched"):
            assert self._of_bystander() == self.untouched

    def teardown(self) -> None:
        self._send()
        assert self._of_bystander() == self.untouched


def test_the_database_equals_the_model_entry_for_entry() -> None:
    assert triggers.missing() == []
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Books,
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            # A failure prints its steps and how to repeat it; shrinking would take minutes here.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
