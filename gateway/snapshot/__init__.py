"""What a gateway knows without asking the database: one immutable snapshot, swapped whole.

``Watcher`` polls for changes once a second and builds a new ``Snapshot``; the event loop reads.
"""

from gateway.snapshot.cards import Caller, OrganizationCard, StopCard, TeamCard
from gateway.snapshot.snapshot import Snapshot, UnusablePolicy
from gateway.snapshot.watcher import Watcher

__all__ = [
    "Caller",
    "OrganizationCard",
    "Snapshot",
    "StopCard",
    "TeamCard",
    "UnusablePolicy",
    "Watcher",
]
