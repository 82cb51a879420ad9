"""``GET /v1/models``: what a caller can ask for."""

import re
from datetime import datetime
from typing import Any

from gateway.pricing import catalogue
from gateway.snapshot import Caller, Snapshot

Row = dict[str, Any]
_NOT_SERVED = re.compile(
    r"-$"  # the beginning of the names of tuned models, never a name itself
    r"|(?<![a-z])(realtime|live)(?![a-z])"  # spoken to over sockets
    r"|^(ada|babbage|curie|davinci|text-davinci-00[1-3])$"  # switched off for good
)


def models(snapshot: Snapshot, caller: Caller, at: datetime) -> list[Row]:
    """Every model some target serves and the caller may use, by name.

    A target without a list passes any name on; of those the priced ones are listed.
    """
    found: dict[str, Row] = {}
    for target in snapshot.policy.targets:
        names = target.models or _listed(target.provider, at)
        for name in names:
            if _allowed(caller, name):
                found.setdefault(name, _row(name, target.provider))
    return [found[name] for name in sorted(found)]


def _listed(provider: str, at: datetime) -> list[str]:
    names = (name for name, _ in catalogue.models(provider, at))
    return [name for name in names if _asked_for(provider, name)]


def _asked_for(provider: str, name: str) -> bool:
    """Whether a route here has a use for it, under this very name."""
    if _NOT_SERVED.search(name.lower()):
        return False
    return catalogue.writes_text(provider, name) or catalogue.embeds(provider, name)


def model(snapshot: Snapshot, caller: Caller, name: str) -> Row | None:
    """One model by name; None where no target serves it or the caller may not use it."""
    targets = snapshot.policy.targets_for(name)
    return _row(name, targets[0].provider) if targets and _allowed(caller, name) else None


def _allowed(caller: Caller, name: str) -> bool:
    return caller.allowed_models is None or name in caller.allowed_models


def _row(name: str, provider: str) -> Row:
    """A model as the clients of OpenAI and of Anthropic read it."""
    ours = {"id": name, "object": "model", "created": 0, "owned_by": provider}
    return ours | {"type": "model", "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
