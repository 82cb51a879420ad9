"""The part of a wrong document that is right, so that the rules can be checked on it.

What does not fit is left out, or stood in for where a document needs it; nothing that is said about
a stand-in is told to anybody.
"""

import copy
from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from gateway.policy import shape
from gateway.policy.schema import PolicyDocument
from gateway.policy.source import Path

_TARGET = {"id": "unnamed", "provider": "openai"}
_GROUP_KEY = "kt_cg_stand-in-for-a-key"
_GROUP = {"name": "unnamed", "api_key": _GROUP_KEY, "wallet_team_id": "unnamed"}
_THRESHOLD = 999.875  # no alert of a real file is so high

_KEYS: dict[str, Any] = {
    "version": "1",
    "providers": {"targets": [_TARGET]},
    "targets": [_TARGET],
    "id": "unnamed",
    "name": "unnamed",
    "provider": "openai",
    "wallet_team_id": "unnamed",
    "base_url": "https://stand-in.invalid",
    "url": "https://stand-in.invalid",
    "env": "STAND_IN",
    "store": "unnamed",
    "token_env": "STAND_IN",
    "api_key": _GROUP_KEY,
    "api_key_ref": {"env": "STAND_IN"},
    "threshold_percent": _THRESHOLD,
    "type": "content_filter",
}
_ENTRIES: dict[str, Any] = {
    "targets": _TARGET,
    "consumer_groups": _GROUP,
    "budget_alerts": {"threshold_percent": _THRESHOLD, "action": "notify"},
    "policies": {"name": "unnamed", "type": "content_filter", "action": "flag"},
}


def valid_part(value: Any, wrong: Collection[Path]) -> PolicyDocument | None:
    """The document of ``value`` without what is ``wrong``; None where too little is left."""
    if () in wrong:
        return None
    mended = copy.deepcopy(value)
    for path in wrong:
        _mend(mended, path)
    try:
        return PolicyDocument.model_validate(mended)
    except ValidationError:
        return None


def concerns(where: Path, wrong: Collection[Path]) -> bool:
    """Whether the place is wrong or inside one that is, or lacks what an unknown key may mean."""
    inside = any(where[: len(path)] == path for path in wrong)
    return inside or any(where == path[:-1] and _is_unknown(path) for path in wrong)


def _is_unknown(path: Path) -> bool:
    return isinstance(path[-1], str) and path[-1] not in shape.fields(path[:-1])


def _mend(value: Any, path: Path) -> None:
    *above, last = path
    for step in above:
        value = value[step]
    if isinstance(last, int):
        value[last] = copy.deepcopy(_ENTRIES.get(str(above[-1]), "unnamed"))
        return
    value.pop(last, None)
    if _is_unknown(path):
        return
    if last == "action":
        value[last] = _ENTRIES[str(above[-2])][last]
    elif last in _KEYS:
        value[last] = copy.deepcopy(_KEYS[last])
