"""What came of an operation."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from wallets.errors import Refused

WAITING = "waiting"
"""The state of an operation that was neither carried out nor refused."""


@dataclass(slots=True, kw_only=True)
class Result:
    """Done, replayed (an earlier attempt had done it), refused, or waiting. Amounts in
    nano-dollars.

    ``wallet_id`` is the wallet that pays or received; ``balance`` its balance after the operation.
    ``seqs`` are (wallet id, seq) of the entries written. ``reason`` says why it waits:
    "contention" or "exhausted".
    """

    refusal: Refused | None = None
    replayed: bool = False
    state: str = ""
    wallet_id: int | None = None
    balance: int = 0
    amount: int = 0
    charged: int = 0
    written_off: int = 0
    seqs: list[tuple[int, int]] = field(default_factory=list)
    reservation: UUID | None = None
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether the operation took effect, now or before."""
        return self.refusal is None and self.state != WAITING

    @property
    def waits(self) -> bool:
        """Whether it has a place in the line of ``wallet_id``: ask again with the same id."""
        return self.state == WAITING

    def unwrap(self) -> "Result":
        """Itself (which may wait), or raises the refusal."""
        if self.refusal is not None:
            raise self.refusal
        return self

    def stored(self) -> dict[str, Any]:
        """What an idempotency claim keeps."""
        return {
            "state": self.state, "wallet_id": self.wallet_id, "balance": self.balance,
            "amount": self.amount, "charged": self.charged, "written_off": self.written_off,
            "seqs": self.seqs, "reservation": str(self.reservation) if self.reservation else None,
        }  # fmt: skip

    @classmethod
    def replay(cls, stored: dict[str, Any]) -> "Result":
        """The answer an idempotency claim kept."""
        reservation = stored.get("reservation")
        return cls(
            replayed=True,
            **{key: stored[key] for key in ("state", "wallet_id", "balance", "amount", "charged")},
            written_off=stored["written_off"],
            seqs=[(wallet, seq) for wallet, seq in stored["seqs"]],
            reservation=UUID(reservation) if reservation else None,
        )


def refused(refusal: Refused) -> Result:
    """A result that changed nothing."""
    return Result(refusal=refusal, state="refused")
