"""Which target serves a request, and which one is asked next when it fails. No network, no money.

``ordered`` puts the targets of a model in the order of one request, ``Breakers`` remember which of
them fail, ``Attempts`` decides after every failure whether, where and when to try again.
"""

from gateway.targets.attempts import Attempts, Step
from gateway.targets.breaker import Breaker, Breakers, Trial
from gateway.targets.failures import Failure, of_answer, of_code
from gateway.targets.order import ordered
from gateway.targets.waits import retry_after

__all__ = [
    "Attempts",
    "Breaker",
    "Breakers",
    "Failure",
    "Step",
    "Trial",
    "of_answer",
    "of_code",
    "ordered",
    "retry_after",
]
