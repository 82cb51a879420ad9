"""What the values of a policy file must satisfy together, beyond the shape of each."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.policy import defaults
from gateway.policy.problems import Severity, did_you_mean
from gateway.policy.schema import (
    BudgetAlert,
    GroupSettings,
    PolicyDocument,
    TargetSettings,
    percent,
)
from gateway.policy.source import Path

Broken = tuple[Path, str, str, Severity]
"""Where, what is wrong, a suggestion (may be empty), and how bad it is."""

ANTHROPIC = "anthropic"
ERROR, WARNING = Severity.ERROR, Severity.WARNING
WHOLE = 100
"""Percent of a budget."""
SHORT_KEY = 20
"""Characters; a shorter key can be guessed."""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is in the database, by slug or public id; None: nobody knows, nothing is
    checked.
    """

    teams: Collection[str] | None = None
    organizations: Collection[str] | None = None


NOTHING_KNOWN = Known()


def broken(
    document: PolicyDocument,
    environ: Mapping[str, str],
    *,
    stored_secrets: Collection[str] = (),
    known: Known = NOTHING_KNOWN,
) -> Iterator[Broken]:
    """Every rule that ``document`` breaks; teams and organization only where they are known."""
    yield from _duplicates(document)
    if known.organizations is not None:
        yield from _organization(document.organization, known.organizations)
    for index, target in enumerate(document.providers.targets):
        yield from _target(target, ("providers", "targets", index), environ, stored_secrets)
    for index, group in enumerate(document.consumer_groups):
        path: Path = ("consumer_groups", index)
        yield from _group_key(group, path, environ)
        yield from _group_models(group, path, document)
        if known.teams is not None:
            yield from _group_team(group, path, known.teams)
    yield from _group_secrets_differ(document, environ)
    yield from _cost_tracking(document)
    yield from _content_filters(document)
    yield from _api(document, environ)


def _duplicates(document: PolicyDocument) -> Iterator[Broken]:
    groups, targets = document.consumer_groups, document.providers.targets
    alerts = document.cost_tracking.budget_alerts
    yield from _twice(("providers", "targets"), "id", [target.id for target in targets])
    yield from _twice(("consumer_groups",), "name", [group.name for group in groups])
    yield from _twice(("consumer_groups",), "api_key", [group.api_key for group in groups])
    yield from _twice(("policies",), "name", [policy.name for policy in document.policies])
    steps = [f"{percent(alert)} {alert.action}" for alert in alerts]
    yield from _twice(("cost_tracking", "budget_alerts"), "threshold_percent", steps)


def _twice(path: Path, key: str, values: Sequence[str | None]) -> Iterator[Broken]:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if value is None:
            continue
        if value in first:
            shown = "" if key == "api_key" else f" '{value}'"
            number = first[value] + 1
            message = f"duplicate {key}{shown}: entry {number} of this list has it already"
            yield (*path, index, key), message, "", ERROR
        first.setdefault(value, index)


def _organization(name: str | None, known: Collection[str]) -> Iterator[Broken]:
    if name is not None and name not in known:
        hint = did_you_mean(name, sorted(known))
        yield ("organization",), f"there is no organization '{name}'", hint, ERROR


def _target(
    target: TargetSettings, path: Path, environ: Mapping[str, str], stored_secrets: Collection[str]
) -> Iterator[Broken]:
    secret = target.secret_key_ref
    if secret and (secret.env is None) == (secret.store is None):
        yield (*path, "secret_key_ref"), "give either 'env' or 'store'", "", ERROR
    elif secret and secret.env:
        yield from _variable((*path, "secret_key_ref", "env"), secret.env, environ)
    elif secret and secret.store not in stored_secrets:
        yield _unknown_secret((*path, "secret_key_ref", "store"), str(secret.store), stored_secrets)
    address = defaults.base_url(target.provider, target.base_url, environ)
    if address is None:
        hint = did_you_mean(target.provider, defaults.BASE_URLS)
        message = f"provider '{target.provider}' has no known address: set base_url"
        yield (*path, "provider"), message, hint, ERROR
    else:
        yield from _address((*path, "base_url"), address)


def _unknown_secret(path: Path, name: str, stored: Collection[str]) -> Broken:
    hint = did_you_mean(name, stored) or "use env: NAME_OF_A_VARIABLE"
    return path, f"no stored secret '{name}'", hint, ERROR


def _variable(path: Path, name: str, environ: Mapping[str, str]) -> Iterator[Broken]:
    if not environ.get(name, "").strip():
        hint = did_you_mean(name, environ, likeness=0.8) or f"export {name}=… before the start"
        yield path, f"environment variable {name} is not set", hint, ERROR


def _address(path: Path, address: str) -> Iterator[Broken]:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable or any(character.isspace() for character in address):
        yield path, "must be an address such as https://api.example.com/v1", "", ERROR
    elif parts.username is not None or parts.password is not None:
        yield path, "must not carry a name or password; use secret_key_ref", "", ERROR
    elif parts.query or parts.fragment:
        yield path, "must not have a query or fragment", "", ERROR


def _group_key(group: GroupSettings, path: Path, environ: Mapping[str, str]) -> Iterator[Broken]:
    if (group.api_key is None) == (group.api_key_ref is None):
        message = f"group '{group.name}' needs either api_key or api_key_ref"
        yield path, message, "", ERROR
    elif group.api_key is not None:
        message = "a key in clear text: unsafe in production"
        yield (*path, "api_key"), message, "use api_key_ref: {env: NAME}", WARNING
        yield from _short((*path, "api_key"), group.api_key)
    elif group.api_key_ref:
        place = (*path, "api_key_ref", "env")
        yield from _variable(place, group.api_key_ref.env, environ)
        value = environ.get(group.api_key_ref.env, "").strip()
        if value and not value.startswith("kt_cg_"):
            message = f"the key in {group.api_key_ref.env} must start with 'kt_cg_'"
            yield place, message, "", ERROR
        elif value:
            yield from _short(place, value)


def _short(path: Path, key: str) -> Iterator[Broken]:
    if len(key) < SHORT_KEY:
        message = f"the key is shorter than {SHORT_KEY} characters: it can be guessed"
        yield path, message, "take one that the console makes", WARNING


def _group_secrets_differ(document: PolicyDocument, environ: Mapping[str, str]) -> Iterator[Broken]:
    """Two groups must not come to the same key by way of the environment."""
    seen = {group.api_key for group in document.consumer_groups if group.api_key}
    for index, group in enumerate(document.consumer_groups):
        key = environ.get(group.api_key_ref.env, "").strip() if group.api_key_ref else ""
        if key and key in seen:
            message = "another group has the same key"
            yield ("consumer_groups", index, "api_key_ref", "env"), message, "", ERROR
        seen.add(key)


def _group_models(group: GroupSettings, path: Path, document: PolicyDocument) -> Iterator[Broken]:
    served = [target.models for target in document.providers.targets]
    if not all(served):
        return
    known = {model for models in served for model in models}
    for index, model in enumerate(group.allowed_models or []):
        if model not in known:
            hint = did_you_mean(model, known)
            message = f"no target serves the model '{model}'"
            yield (*path, "allowed_models", index), message, hint, WARNING


def _group_team(group: GroupSettings, path: Path, known_teams: Collection[str]) -> Iterator[Broken]:
    teams = {team.removeprefix("team_") for team in known_teams}
    if group.wallet_team_id.removeprefix("team_") not in teams:
        hint = did_you_mean(group.wallet_team_id, [f"team_{team}" for team in sorted(teams)])
        message = f"there is no team '{group.wallet_team_id}'"
        yield (*path, "wallet_team_id"), message, hint, ERROR


def _cost_tracking(document: PolicyDocument) -> Iterator[Broken]:
    cost = document.cost_tracking
    if not cost.enabled:
        message = "cost tracking is off: requests are neither priced nor paid"
        yield ("cost_tracking", "enabled"), message, "", WARNING
    seen: dict[float, str] = {}
    for index, alert in enumerate(cost.budget_alerts):
        yield from _alert(alert, ("cost_tracking", "budget_alerts", index))
        if seen.setdefault(alert.threshold_percent, alert.action) != alert.action:
            place: Path = ("cost_tracking", "budget_alerts", index, "threshold_percent")
            yield place, f"duplicate threshold {percent(alert)} with another action", "", WARNING


def _content_filters(document: PolicyDocument) -> Iterator[Broken]:
    """A filter that blocks refuses everything where nobody can be asked."""
    if any(target.provider != ANTHROPIC for target in document.providers.targets):
        return
    for index, policy in enumerate(document.policies):
        if policy.action == "block":
            message = (
                "block refuses every request: all targets are of kind anthropic, "
                "which has no moderations"
            )
            hint = "add a target with /moderations that serves the same models, or use flag"
            yield ("policies", index, "action"), message, hint, WARNING


def _alert(alert: BudgetAlert, path: Path) -> Iterator[Broken]:
    if alert.action != "block":
        return
    message = "block also refuses what the organisation wallet would have paid"
    yield (*path, "action"), message, "", WARNING
    if alert.threshold_percent > WHOLE:
        message = f"block at {percent(alert)} lets a team spend more than its budget first"
        yield (*path, "threshold_percent"), message, "", WARNING


def _api(document: PolicyDocument, environ: Mapping[str, str]) -> Iterator[Broken]:
    if document.api:
        yield from _address(("api", "url"), document.api.url)
        yield from _variable(("api", "token_env"), document.api.token_env, environ)
