"""``GET /keeptrusts/config``: what is in force in this process, without a secret and a path.

For whoever holds a gateway key of the organisation: every request shows it to its own process,
which is the only one that knows. Keys are never shown, not even in part: of a group whether it has
one in the file, of a target the variable or the stored secret it comes from.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from gateway.policy import PolicyFile, Problem, enforcement
from gateway.policy.schema import declared
from gateway.snapshot import Caller, Snapshot, Watcher
from gateway.snapshot.watcher import Broken
from gateway.targets import Breaker, Breakers

LAST_GOOD = "the last good one is in force"


def describe(
    watcher: Watcher,
    caller: Caller,
    breakers: Breakers | None = None,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """The answer's JSON for ``caller``. ``environ`` says which variables are set, never to what.

    ``watcher`` has loaded its first snapshot.
    """
    snapshot = watcher.current
    assert snapshot is not None
    policy = snapshot.policy
    return {
        "organization": snapshot.organization.slug,
        "config_version": policy.config_version,
        "loaded_at": _time(watcher.loaded_at),
        "file": _file(watcher.broken),
        "revision": snapshot.revision[0],
        "organization_in_debt": snapshot.in_debt,
        "not_enforced": _not_enforced(policy),
        "stops": _stops(snapshot, caller),
        "stops_of_others": _stops_of_others(snapshot.callers.values(), caller),
        "targets": _targets(policy, breakers, environ),
        "policy": _redacted(policy),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _file(broken: Broken | None) -> dict[str, Any]:
    """Whether the file on disk is the one in force, and what is wrong with it where not."""
    if broken is None:
        return {"state": "in_force", "message": "", "since": None, "problems": []}
    said = "; ".join(f"line {p.line}: {p.message}" for p in broken.problems) or broken.reason
    since = _time(broken.since)
    return {
        "state": "broken",
        "message": f"the file on disk is broken since {since}: {said}; {LAST_GOOD}",
        "since": since,
        "problems": [_problem(problem) for problem in broken.problems],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "suggestion": problem.suggestion,
    }


def _not_enforced(policy: PolicyFile) -> list[dict[str, str]]:
    found = enforcement.not_enforced(declared(policy.document))
    return [{"setting": ".".join(map(str, path)), "message": message} for path, message in found]


def _stops(snapshot: Snapshot, caller: Caller) -> list[dict[str, Any]]:
    """What stops this caller: models and providers by name, and a stop of its own."""
    found = [
        *(("model", name, stop) for name, stop in snapshot.stopped_models.items()),
        *(("provider", name, stop) for name, stop in snapshot.stopped_providers.items()),
    ]
    if caller.stop is not None:
        found.append((caller.stop.scope, _target_of(caller.stop.scope, caller), caller.stop))
    return [
        {"scope": scope, "target": name, "cut": stop.cut, "reason": stop.reason}
        for scope, name, stop in found
    ]


def _stops_of_others(callers: Iterable[Caller], caller: Caller) -> dict[str, int]:
    """How many stops of each scope are for others: whom, and why, is not the caller's business."""
    every = {(one.stop.scope, _target_of(one.stop.scope, one)) for one in callers if one.stop}
    if caller.stop is not None:
        every.discard((caller.stop.scope, _target_of(caller.stop.scope, caller)))
    return dict(sorted(Counter(scope for scope, _ in every).items()))


def _target_of(scope: str, caller: Caller) -> str:
    """What a stop of this scope that ends ``caller`` is pulled on; a key is named by its owner."""
    if scope == "organization":
        return scope
    if scope == "team":
        return caller.team.public_id
    return caller.group_name or caller.user_public_id


def _targets(
    policy: PolicyFile, breakers: Breakers | None, environ: Mapping[str, str]
) -> list[dict[str, Any]]:
    shown = []
    for target, settings in zip(policy.targets, policy.document.providers.targets, strict=True):
        reference = settings.secret_key_ref
        key = "none"
        if reference is not None and reference.env:
            state = "set" if environ.get(reference.env) else "unset"
            key = f"env: {reference.env} {state}"
        elif reference is not None:
            key = f"store: {reference.store}"
        shown.append(
            {
                "id": target.id,
                "provider": target.provider,
                "base_url": target.base_url,
                "models": list(target.models),
                "priority": target.priority,
                "weight": target.weight,
                "key": key,
                "circuit": None if breakers is None else _circuit(breakers.of(target)),
            }
        )
    return shown


def _circuit(breaker: Breaker) -> dict[str, Any]:
    return {"state": breaker.state, "ready": breaker.ready, "reason": breaker.reason}


def _redacted(policy: PolicyFile) -> dict[str, Any]:
    """Every setting with its default, without keys; addresses carry none, lint sees to that."""
    shown = policy.redacted()
    del shown["config_version"]
    return shown
