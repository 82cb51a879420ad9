"""What is measured, known to the process that prints and the process that measures."""

from dataclasses import dataclass

SIZES = (1, 8, 32, 128)
WALLETS = 1_000


@dataclass(frozen=True)
class Plan:
    """``rounds`` times, in turn, every case for ``seconds``: drift hits all cases alike."""

    rounds: int
    seconds: float
