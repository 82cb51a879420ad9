"""The policy file ``policy-config.yaml``: read, checked, explained.

``load`` gives a usable :class:`PolicyFile` or raises :class:`PolicyError`; ``lint`` lists what it
finds. Both see the same problems; warnings never keep a file from being loaded.
"""

from gateway.policy.file import Group, PolicyFile, Target, dump, start_lines
from gateway.policy.load import lint, load, loads
from gateway.policy.problems import PolicyError, Problem, Severity
from gateway.policy.rules import NOTHING_KNOWN, Known

__all__ = [
    "NOTHING_KNOWN",
    "Group",
    "Known",
    "PolicyError",
    "PolicyFile",
    "Problem",
    "Severity",
    "Target",
    "dump",
    "lint",
    "load",
    "loads",
    "start_lines",
]
