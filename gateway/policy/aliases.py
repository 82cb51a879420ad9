"""Second names of keys, brought to their first name before the schema looks."""

from typing import Any

from gateway.policy.source import Finding, Path, Source

SECTIONS = {"workflow_cache": "cache", "engineering_cache": "cache"}
GROUP = {"id": "name", "enforce_budget": "wallet_enforcement"}
COST_TRACKING = {"enforce_budget": "wallet_enforcement", "alert_thresholds": "budget_alerts"}
BUDGET_ALERTS = ("budget_alerts", "alert_thresholds")


def apply(source: Source) -> None:
    """Rename aliases in ``source`` and lift top-level budget alerts into ``cost_tracking``."""
    document = source.value
    if not isinstance(document, dict):
        return
    _rename(source, (), document, SECTIONS)
    _lift_budget_alerts(source, document)
    _rename(source, ("cost_tracking",), document.get("cost_tracking"), COST_TRACKING)
    groups = document.get("consumer_groups")
    for index, group in enumerate(groups if isinstance(groups, list) else []):
        _rename(source, ("consumer_groups", index), group, GROUP)


def _rename(source: Source, path: Path, mapping: Any, names: dict[str, str]) -> None:
    if not isinstance(mapping, dict):
        return
    for alias, name in names.items():
        if alias in mapping:
            _move(source, mapping, (*path, alias), mapping, (*path, name))


def _lift_budget_alerts(source: Source, document: dict[str, Any]) -> None:
    for key in BUDGET_ALERTS:
        if key not in document:
            continue
        section = document.setdefault("cost_tracking", {})
        if isinstance(section, dict):
            _move(source, document, (key,), section, ("cost_tracking", "budget_alerts"))


def _move(
    source: Source, origin: dict[str, Any], old: Path, target: dict[str, Any], new: Path
) -> None:
    """Move one value to its proper place, or report that the place is taken."""
    alias, name = str(old[-1]), str(new[-1])
    value = origin.pop(alias)
    if name in target:
        place = source.place(old)
        first = source.place(new)[0]
        message = f"'{alias}' means the same as '{name}' on line {first}; keep one of them"
        source.findings.append(Finding(place, message))
        return
    target[name] = value
    source.moved(old, new)
