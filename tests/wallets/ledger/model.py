"""What the ledger means, in dicts of ints: the oracle of the property test.

Shares no code with ``wallets.ledger``. An operation is a dict with ``do``, ``org`` and what it
needs; an answer is a dict with ``code`` ("" where it took effect). Wallets go by their row's id.
"""

from typing import Any

from tests.wallets.ledger.model_line import ON_HOLD, Answer, Line, Op, no, yes

CLOSING, LATE, ADJUSTED = 30_000, 30_001, 30_002


class Model(Line):
    """All wallets, holds, counters, references, claims and entries there are."""

    def __init__(self) -> None:
        super().__init__()
        self.booked: dict[tuple[str, str], tuple[int, int]] = {}
        self.claims: dict[str, tuple[int, str, Answer]] = {}
        self.entries: list[tuple[Any, ...]] = []

    def add_wallet(self, id: int, org: int, rank: int) -> None:
        numbers = ["posted", "reserved", "debt", "seq", "allocated", "spent", "funded", "frozen"]
        self.wallets[id] = {"id": id, "org": org, "rank": rank, **dict.fromkeys(numbers, 0)}

    def free(self, id: int) -> int:
        w = self.wallets[id]
        return max(0, w["posted"] - w["reserved"] - w["debt"])

    def move(
        self, id: int, type: str, posted: int = 0, reserved: int = 0, debt: int = 0, *, contra: str,
        reason: str = "", hold: Any = None, part: int = 0, reference: str | None = None,
    ) -> None:  # fmt: skip
        """Apply; free money repays debt at once; write the entry."""
        w = self.wallets[id]
        repaid = max(
            0, min(w["debt"] + debt, w["posted"] + posted - w["reserved"] - reserved)
        )  # fmt: skip
        deltas = (posted - repaid, reserved, debt - repaid)
        for name, delta in zip(("posted", "reserved", "debt"), deltas, strict=True):
            w[name] += delta
        w["seq"] += 1
        self.entries.append((id, w["seq"], type, *deltas, w["posted"], w["reserved"], w["debt"],
                             contra, reason, hold, part, reference))  # fmt: skip

    def post(self, batch: list[Op]) -> list[Answer]:
        """Cut into waves where a hold or key is named again; in a wave: rounds by rank."""
        answers: list[Answer] = []
        wave: list[Op] = []
        named: set[Any] = set()
        for op in batch:
            named_by_op = (op.get("hold"), op.get("to", {}).get("hold"), op.get("claim"))
            names = {name for name in named_by_op if name is not None}
            if names & named:
                answers += self._wave(wave)
                wave, named = [], set()
            wave.append({**op, "to": dict(op["to"])} if "to" in op else dict(op))
            named |= names
        return answers + self._wave(wave)

    def _wave(self, wave: list[Op]) -> list[Answer]:
        answers = [self._claimed(op) for op in wave]
        claimed = [answer is not None for answer in answers]
        answers = [answer or self._early(op) for op, answer in zip(wave, answers, strict=True)]
        # Whether it waited before is known from the beginning.
        waited = {op["hold"] for op in wave if op.get("hold") in self.places}
        for op, answer, before in zip(wave, answers, claimed, strict=True):
            if not before:
                self._leave(op, answer)
        for rank in (0, 1, 2):
            due = [i for i, op in enumerate(wave) if not answers[i] and self._round(op) == rank]
            for i in self._in_turn(due, wave, waited):
                op = wave[i]
                op["turn"] = (1 if op.get("hold") in waited else 2, op.get("hold"))
                while answers[i] is None and self._round(op) == rank:
                    answers[i] = getattr(self, "_" + op["do"])(op)
                answer = answers[i]
                if answer and answer["code"] and op.get("waiting"):
                    answers[i] = self._line_up(op, answer)
                self._leave(op, answers[i])
        for op, answer, before in zip(wave, answers, claimed, strict=True):
            done = not answer["code"] and answer["state"] != "waiting"
            if op.get("claim") is not None and not before and done:
                self.claims[op["claim"]] = (op["org"], op["fingerprint"], answer)
        return answers

    def _claimed(self, op: Op) -> Answer | None:
        if op.get("claim") not in self.claims:
            return None
        *owner, answer = self.claims[op["claim"]]
        if owner != [op["org"], op["fingerprint"]]:
            return no("idempotency_key_reused")
        return {**answer, "replayed": True}

    def _early(self, op: Op) -> Answer | None:
        """What needs no wallet: holds that are not there, repeated reserves, heartbeats."""
        hold = self.holds.get(op.get("hold"))
        if op["do"] == "reserve" and hold:
            same = hold["parts"] > 1 or hold["amount"] == op["amount"]
            if hold["org"] != op["org"]:
                return no("not_found")
            return self._again(hold) if same else no("conflict")
        if op["do"] not in ON_HOLD:
            return None
        if hold is None or hold["org"] != op["org"]:
            absent = op["do"] in ("refund", "sweep")
            return yes("absent", 0, 0, replayed=True) if absent else no("not_found")
        if op["do"] == "move" and (there := self.holds.get(op["to"]["hold"])):
            if hold["state"] == "held":
                return no("conflict")
            same = there["parts"] > 1 or there["amount"] == op["to"]["amount"]
            return self._again(there) if same else no("conflict")
        return self._heartbeat(op, hold) if op["do"] == "heartbeat" else None

    def _round(self, op: Op) -> int:
        if op["do"] == "reserve":
            return 2 if op.get("last") else self.wallets[op["candidates"][0][0]]["rank"]
        if op["do"] == "move":
            ids = (self.holds[op["hold"]]["wallet"], op["to"]["candidates"][0][0])
            return max(self.wallets[id]["rank"] for id in ids)
        if op["do"] in ON_HOLD:
            return self.wallets[self.holds[op["hold"]]["wallet"]]["rank"]
        if op["do"] == "transfer":
            return max(self.wallets[w]["rank"] for s, t, _ in op["legs"] for w in (s, t))
        return self.wallets[op["wallet"]]["rank"] if op["do"] == "expire" else 2

    def _again(self, hold: dict[str, Any]) -> Answer:
        return yes(hold["state"], hold["wallet"], hold["amount"], replayed=True,
                   charged=hold["charged"], written_off=hold["written_off"])  # fmt: skip

    def _move(self, op: Op) -> Answer | None:
        """Both sides are looked at before the old hold goes back."""
        hold, to = self.holds[op["hold"]], op["to"]
        ranks = [self.wallets[id]["rank"] for id in (hold["wallet"], to["candidates"][0][0])]
        if hold["state"] == "held" and hold["kind"] != "usage":
            return no("not_found")
        if hold["state"] != "held" or ranks[0] > ranks[1]:
            return no("conflict")
        to["turn"] = (0, op["hold"])
        return self._reserve(to, op["hold"])

    def _reserve(self, op: Op, replaced: Any = None) -> Answer | None:
        id, caps = op["candidates"][0]
        wallet, amount = self.wallets[id], op["amount"]
        old = self.holds.get(replaced)
        op.setdefault("tried", []).append((id, caps))
        if self._over(op["uses"], amount, old):
            return no("limit_exceeded")
        if wallet["org"] != op["org"]:
            return no("not_found")
        if wallet["frozen"]:
            return no("wallet_frozen")
        capped = self._over(caps, amount, old)
        returned = old["amount"] if old and old["wallet"] == id else 0
        usage = op.get("kind", "usage") == "usage"
        fits = self._fits(id, amount, op["turn"] if usage else (-1, None), returned)
        if not capped and not fits and len(op["candidates"]) > 1:
            op["candidates"] = op["candidates"][1:]
            return None
        if capped or not fits:
            owes = wallet["rank"] == 2 and wallet["debt"] and not capped
            code = "organization_in_debt" if owes else "insufficient_balance"
            return {**no(code), "capped": capped}
        if old:
            self._close(replaced, 0, "refunded", "moved")
        self.move(id, "reserve", reserved=amount, contra="hold", hold=op["hold"])
        self.holds[op["hold"]] = {
            "org": op["org"], "wallet": id, "kind": op.get("kind", "usage"), "state": "held",
            "amount": amount, "parts": 1, "cost": None, "charged": 0, "written_off": 0,
            "checkpoint": old["checkpoint"] if old else 0, "adjusted": 0, "adjustments": 0,
            "due": op["due"],
            "counters": [key for key, _ in (*op["uses"], *caps)],
        }  # fmt: skip
        self._count(op["hold"], held=amount)
        return yes("held", id, amount, balance=self.balance(id))

    def balance(self, id: int) -> int:
        w = self.wallets[id]
        return w["posted"] - w["reserved"] - w["debt"]

    def _count(self, id: Any, held: int = 0, spent: int = 0) -> None:
        for key in self.holds[id]["counters"]:
            self.counters[key][0] += held
            self.counters[key][1] += spent

    def _heartbeat(self, op: Op, hold: dict[str, Any]) -> Answer:
        if hold["state"] != "held":
            return no("conflict")
        hold.update(checkpoint=max(hold["checkpoint"], op["checkpoint"]), due=False)
        return yes("held", hold["wallet"], hold["amount"])

    def _extend(self, op: Op) -> Answer:
        hold = self.holds[op["hold"]]
        id, amount = hold["wallet"], op["amount"]
        if hold["state"] != "held" or op["part"] > hold["parts"]:
            return no("conflict")
        if op["part"] < hold["parts"]:
            return self._again(hold)
        if self.wallets[id]["frozen"]:
            return no("wallet_frozen")
        if self._over(op["uses"], amount):
            return no("limit_exceeded")
        if not self._fits(id, amount, (0, op["hold"])):
            return no("insufficient_balance")
        self.move(id, "reserve", reserved=amount, contra="hold", hold=op["hold"], part=op["part"])
        hold.update(amount=hold["amount"] + amount, parts=hold["parts"] + 1)
        self._count(op["hold"], held=amount)
        return yes("held", id, hold["amount"], balance=self.balance(id))

    def _close(self, id: Any, cost: int, state: str, reason: str = "") -> Answer:
        hold = self.holds[id]
        charge = min(cost, hold["amount"] + self.free(hold["wallet"]))
        self._charge(id, charge, -hold["amount"], reason, CLOSING)
        self._count(id, held=-hold["amount"], spent=charge)
        hold.update(state=state, cost=cost, charged=charge, written_off=cost - charge)
        return {**self._again(hold), "replayed": False, "balance": self.balance(hold["wallet"])}

    def _charge(self, id: Any, charge: int, reserved: int, reason: str, part: int) -> None:
        wallet = self.holds[id]["wallet"]
        self.wallets[wallet]["spent"] += charge
        self.move(wallet, "settle" if charge else "refund", -charge, reserved, contra="usage",
                  reason=reason, hold=id, part=part)  # fmt: skip

    def _settle(self, op: Op) -> Answer:
        hold, cost = self.holds[op["hold"]], op["cost"]
        if hold["state"] == "held":
            return self._close(op["hold"], cost, "settled")
        if hold["state"] == "expired":
            return self._late(op["hold"], cost)
        floor = hold["checkpoint"] if hold["state"] == "settled_late" else 0
        same = hold["state"] != "refunded" and hold["cost"] == max(cost, floor)
        return self._again(hold) if same else no("conflict")

    def _late(self, id: Any, cost: int) -> Answer:
        hold = self.holds[id]
        due = max(0, cost - hold["cost"])
        charge = min(due, self.free(hold["wallet"]))
        if charge:
            self._charge(id, charge, 0, "late", LATE)
            self._count(id, spent=charge)
        hold.update(state="settled_late", cost=hold["cost"] + due, charged=hold["charged"] + charge,
                    written_off=hold["written_off"] + due - charge)  # fmt: skip
        return {**self._again(hold), "replayed": False, "balance": self.balance(hold["wallet"])}

    def _refund(self, op: Op) -> Answer:
        hold = self.holds[op["hold"]]
        if hold["state"] != "held":
            return self._again(hold)
        return self._close(op["hold"], 0, "refunded")

    def _sweep(self, op: Op) -> Answer:
        hold = self.holds[op["hold"]]
        due = hold["state"] == "held" and hold["kind"] == "usage" and (op["all"] or hold["due"])
        if not due:
            return self._again(hold)
        return self._close(op["hold"], hold["checkpoint"], "expired", "swept")

    def _adjust(self, op: Op) -> Answer:
        hold, amount = self.holds[op["hold"]], op["amount"]
        id = hold["wallet"]
        if hold["kind"] != "usage" or hold["state"] in ("held", "refunded"):
            return no("conflict")
        if amount > hold["charged"] + hold["adjusted"]:
            return no("conflict")
        if -amount > self.free(id):
            return no("insufficient_balance")
        part = ADJUSTED + hold["adjustments"]
        self.move(id, "adjustment", amount, contra="adjustment", hold=op["hold"], part=part)
        self.wallets[id]["spent"] -= amount
        hold.update(adjusted=hold["adjusted"] - amount, adjustments=hold["adjustments"] + 1)
        return yes("adjusted", id, amount, balance=self.balance(id))

    def _known(self, type: str, op: Op) -> Answer | None:
        if op.get("reference") is None or (type, op["reference"]) not in self.booked:
            return None
        if self.booked[type, op["reference"]] != (op["wallet"], op["amount"]):
            return no("conflict")
        return yes("booked", op["wallet"], op["amount"], replayed=True)

    def _credit(self, op: Op) -> Answer:
        id, amount, type = op["wallet"], op["amount"], op["type"]
        if self.wallets[id]["org"] != op["org"]:
            return no("not_found")
        if known := self._known(type, op):
            return known
        contra = "paypal" if type == "payment_capture" else "credit"
        self.move(id, type, amount, contra=contra, reference=op.get("reference"))
        self.wallets[id]["allocated"] += amount
        self.wallets[id]["funded"] = self.balance(id)
        self.booked[type, op.get("reference")] = (id, amount)
        return yes("booked", id, amount, balance=self.balance(id))

    def _payment_refund(self, op: Op) -> Answer:
        id, amount, hold = op["wallet"], op["amount"], self.holds.get(op.get("hold"))
        if self.wallets[id]["org"] != op["org"]:
            return no("not_found")
        if known := self._known("payment_refund", op):
            return known
        held = 0
        if op.get("hold") is not None:
            if hold is None or hold["wallet"] != id or hold["kind"] == "usage":
                return no("not_found")
            if hold["state"] != "held":
                return no("conflict")
            held = hold["amount"]
            part = min(amount, held)
            hold.update(state="settled", cost=part, charged=part)
        w = self.wallets[id]
        taken = min(amount, w["posted"] - w["reserved"] + held)
        self.move(id, "payment_refund", -taken, -held, amount - taken, contra="paypal",
                  hold=op.get("hold"), part=CLOSING if held else 0,
                  reference=op["reference"])  # fmt: skip
        self.booked["payment_refund", op["reference"]] = (id, amount)
        return yes("booked", id, amount, balance=self.balance(id))

    def _transfer(self, op: Op) -> Answer:
        if any(self.wallets[w]["org"] != op["org"] for s, t, _ in op["legs"] for w in (s, t)):
            return no("not_found")
        legs = [(s, t, self.free(s) if a is None else a) for s, t, a in op["legs"]]
        if any(self.wallets[source]["debt"] for source, _, _ in legs):
            return no("organization_in_debt")
        for wallet in {source for source, _, _ in legs}:
            total = sum(amount for source, _, amount in legs if source == wallet)
            if not 0 < total <= self.free(wallet):
                return no("insufficient_balance")
        for source, target, amount in legs:
            reason = op["reason"]
            self.move(source, "allocation_out", -amount, contra=f"wallet:{target}", reason=reason)
            self.move(target, "allocation_in", amount, contra=f"wallet:{source}", reason=reason)
            self.wallets[target]["allocated"] += amount if reason != "reclaim" else 0
            self.wallets[target]["funded"] = self.balance(target)
        first = legs[0][1]
        return yes("moved", first, sum(a for _, _, a in legs), balance=self.balance(first))

    def _expire(self, op: Op) -> Answer:
        id = op["wallet"]
        if self.wallets[id]["org"] != op["org"]:
            return no("not_found")
        amount = min(op["amount"], self.free(id))
        if amount <= 0:
            return yes("nothing_due", id, 0)
        self.move(id, "expiry", -amount, contra="expired")
        return yes("expired", id, amount, balance=self.balance(id))
