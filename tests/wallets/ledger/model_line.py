"""The lines before wallets, in dicts of ints: half of the property test's oracle."""

from typing import Any

Op = dict[str, Any]
Answer = dict[str, Any]
ON_HOLD = {"extend", "move", "settle", "refund", "sweep", "heartbeat", "adjust"}


def no(code: str) -> Answer:
    return {"code": code}


def yes(state: str, wallet: int, amount: int, *, replayed: bool = False, **more: Any) -> Answer:
    return {"code": "", "state": state, "wallet": wallet, "amount": amount,
            "replayed": replayed, "charged": 0, "written_off": 0, **more}  # fmt: skip


class Line:
    """Wallets, holds and counters as far as who waits depends on them, and the places there are.

    A place, by the id of its hold: org, wallet, part, amount, reason, and whether it is patient,
    dead or dismissed.
    """

    def __init__(self) -> None:
        self.wallets: dict[int, dict[str, int]] = {}
        self.holds: dict[Any, dict[str, Any]] = {}
        self.counters: dict[str, list[int]] = {}
        self.places: dict[Any, dict[str, Any]] = {}

    def _over(
        self, uses: list[tuple[str, int]], amount: int, old: dict[str, Any] | None = None
    ) -> bool:
        def less(key: str) -> int:
            return old["amount"] if old and key in old["counters"] else 0

        return any(
            sum(self.counters.setdefault(key, [0, 0])) - less(key) + amount > cap
            for key, cap in uses
        )

    def _in_turn(self, due: list[int], wave: list[Op], waited: set[Any]) -> list[int]:
        """Streams and who has waited go by age, and whatever was given before them is pulled."""
        phase = {"extend": 1, "move": 2}
        phases = {i: phase.get(wave[i]["do"], 0) for i in due}
        for i in due:
            if wave[i]["do"] == "reserve":
                phases[i] = 3 if wave[i]["hold"] in waited else 4
        until = max((i for i in due if phases[i] in (1, 2, 3)), default=-1)
        front = [i for i in due if i <= until]
        order = [i for i in front if phases[i] == 0]
        for number in (1, 2, 3):
            members = [i for i in front if phases[i] == number]
            order += sorted(members, key=lambda i: wave[i]["hold"])
        order += [i for i in front if phases[i] == 4] + [i for i in due if i > until]
        return [i for i in order if not wave[i].get("last")] + [
            i for i in order if wave[i].get("last")
        ]

    def _leave(self, op: Op, answer: Answer | None) -> None:
        place = self.places.get(op.get("hold"))
        if answer is None or place is None or place["org"] != op["org"]:
            return
        if answer.get("state") == "waiting" or op["do"] not in ON_HOLD | {"reserve"}:
            return
        hold = self.holds.get(op["hold"])
        ended = hold is not None and (hold["state"] != "held" or op["do"] == "extend")
        if ended or op["do"] in ("reserve", "refund"):
            del self.places[op["hold"]]

    def _fits(self, id: int, amount: int, turn: tuple[int, Any], returned: int = 0) -> bool:
        """Set aside what everybody before ``turn`` waits for, then look at what is left."""
        w = self.wallets[id]
        free = max(0, w["posted"] - w["reserved"] - w["debt"] + returned)
        line = sorted(
            ((0 if p["part"] else 1, hold), p)
            for hold, p in self.places.items()
            if p["wallet"] == id and not p["dead"] and not p["dismissed"]
        )
        for place, p in line:
            if place < turn and p["amount"] <= free:
                free -= p["amount"]
            elif place < turn and p["patient"] and turn[0] and self._payable(id, p["amount"]):
                return False
        return free >= amount

    def _payable(self, id: int, amount: int) -> bool:
        return self.wallets[id]["posted"] - self.wallets[id]["debt"] >= amount

    def _line_up(self, op: Op, answer: Answer) -> Answer:
        """A place instead of a refusal, where the refusal is one that time may mend."""
        spot = self._spot(op, answer)
        if spot is None or self.places.get(op["hold"], {}).get("dismissed"):
            return answer
        wallet, reason = spot
        old = self.places.get(op["hold"])
        if old is None or old["org"] == op["org"]:
            patient = old["patient"] if old else False
            self.places[op["hold"]] = {
                "org": op["org"], "wallet": wallet, "part": op.get("part", 0), "reason": reason,
                "amount": op["amount"], "patient": patient, "dead": False, "dismissed": False,
            }  # fmt: skip
        return yes("waiting", wallet, op["amount"])

    def _spot(self, op: Op, answer: Answer) -> tuple[int, str] | None:
        may_wait = ("insufficient_balance", "wallet_frozen", "organization_in_debt")
        if answer["code"] not in may_wait:
            return None
        if op["do"] == "extend":
            hold = self.holds[op["hold"]]
            others = self._payable(hold["wallet"], op["amount"] + hold["amount"])
            short = answer["code"] == "insufficient_balance" and "contention" in op["waiting"]
            return (hold["wallet"], "contention") if short and others else None
        for id, caps in op["tried"] if "contention" in op["waiting"] else []:
            w = self.wallets[id]
            free_of_others = w["org"] == op["org"] and not w["frozen"]
            payable = free_of_others and self._payable(id, op["amount"])
            if payable and not self._over(caps, op["amount"]):
                return id, "contention"
        if "exhausted" in op["waiting"] and answer["code"] == "insufficient_balance":
            return None if answer["capped"] else (op["tried"][0][0], "exhausted")
        return None
