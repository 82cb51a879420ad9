"""A policy file ready for use: addresses chosen, secrets resolved, group overrides applied."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from gateway.policy import defaults
from gateway.policy.schema import (
    Enforcement,
    FabricScope,
    GroupSettings,
    Hold,
    OnExhausted,
    PolicyDocument,
    RateLimits,
    TargetSettings,
    Timeouts,
    Unpriced,
    declared,
    percent,
)

HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Target:
    """A provider endpoint. ``base_url`` has no slash at its end and usually ends in ``/v1``.

    ``official``: the provider's own server, whose tokenizers are the known ones. ``models`` empty:
    any model name.
    """

    id: str
    provider: str
    base_url: str
    api_key: str | None = field(repr=False)
    models: tuple[str, ...]
    weight: int
    priority: int
    timeouts: Timeouts
    on_disconnect: str
    official: bool

    def serves(self, model: str) -> bool:
        """Whether requests for ``model`` may go here."""
        return not self.models or model in self.models


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group with every setting that applies to it, overrides included.

    ``team_slug`` is the slug of the team whose wallet pays. ``allowed_models`` None: all.
    """

    name: str
    api_key: str = field(repr=False)
    team_slug: str
    allowed_models: frozenset[str] | None
    rate_limits: RateLimits | None
    on_exhausted: OnExhausted
    hold: Hold
    wallet_enforcement: Enforcement
    unpriced_models: Unpriced
    fabric_scope: FabricScope


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A loaded policy file. Equal when it means the same, wherever it was read from.

    ``document`` has every setting with its default; ``config_version`` names its meaning in
    twelve hexadecimal digits.
    """

    document: PolicyDocument
    targets: tuple[Target, ...]
    groups: tuple[Group, ...]
    api_token: str | None = field(repr=False)
    config_version: str
    path: str = field(default="", compare=False)

    def targets_for(self, model: str) -> tuple[Target, ...]:
        """The targets that serve ``model``, lowest ``priority`` number first."""
        serving = [target for target in self.targets if target.serves(model)]
        return tuple(sorted(serving, key=lambda target: target.priority))

    def redacted(self) -> dict[str, Any]:
        """The effective settings without any secret, for people and logs."""
        shown = self.document.model_dump(mode="json")
        for settings, target in zip(shown["providers"]["targets"], self.targets, strict=True):
            settings["base_url"] = target.base_url
        for group in shown["consumer_groups"]:
            group["api_key"] = HIDDEN if group["api_key"] else None
        return shown | {"config_version": self.config_version}


def resolved(
    document: PolicyDocument, environ: Mapping[str, str], secrets: Mapping[str, str], path: str
) -> PolicyFile:
    """The usable form of a ``document`` that broke no rule."""
    targets = tuple(_target(target, environ, secrets) for target in document.providers.targets)
    groups = tuple(_group(group, document, environ) for group in document.consumer_groups)
    return PolicyFile(
        document=document,
        targets=targets,
        groups=groups,
        api_token=environ[document.api.token_env].strip() if document.api else None,
        config_version=_version(document, targets, groups),
        path=path,
    )


def _target(
    settings: TargetSettings, environ: Mapping[str, str], secrets: Mapping[str, str]
) -> Target:
    address = defaults.base_url(settings.provider, settings.base_url, environ) or ""
    return Target(
        id=settings.id,
        provider=settings.provider,
        base_url=address,
        api_key=_secret(settings, environ, secrets),
        models=tuple(settings.models),
        weight=settings.weight,
        priority=settings.priority,
        timeouts=settings.timeouts,
        on_disconnect=settings.on_disconnect,
        official=defaults.official(settings.provider, address),
    )


def _secret(
    settings: TargetSettings, environ: Mapping[str, str], secrets: Mapping[str, str]
) -> str | None:
    reference = settings.secret_key_ref
    if reference is None:
        return None
    if reference.env:
        return environ[reference.env].strip()
    return secrets[str(reference.store)]


def _group(settings: GroupSettings, document: PolicyDocument, environ: Mapping[str, str]) -> Group:
    cost = document.cost_tracking
    override = settings.wallet_enforcement
    reference = settings.api_key_ref
    key = environ[reference.env].strip() if reference else settings.api_key
    return Group(
        name=settings.name,
        api_key=key or "",
        team_slug=settings.wallet_team_id.removeprefix("team_"),
        allowed_models=_allowed(settings),
        rate_limits=settings.rate_limits or document.rate_limit_defaults,
        on_exhausted=settings.on_exhausted or cost.on_exhausted,
        hold=settings.hold or cost.hold,
        wallet_enforcement=cost.wallet_enforcement if override is None else override,
        unpriced_models=settings.unpriced_models or cost.unpriced_models,
        fabric_scope=settings.fabric_scope or document.cache.fabric_scope,
    )


def _allowed(settings: GroupSettings) -> frozenset[str] | None:
    return None if settings.allowed_models is None else frozenset(settings.allowed_models)


def _version(
    document: PolicyDocument, targets: tuple[Target, ...], groups: tuple[Group, ...]
) -> str:
    """Digest of what decides about a request; keys of groups count, keys of providers do not."""
    meaning = {
        "document": document.model_dump(mode="json"),
        "addresses": [target.base_url for target in targets],
        "keys": [group.api_key for group in groups],
    }
    text = json.dumps(meaning, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def dump(policy: PolicyFile) -> str:
    """YAML that loads into an equal policy: proper names only, defaults left out."""
    return yaml.safe_dump(declared(policy.document), sort_keys=False, allow_unicode=True)


def start_lines(policy: PolicyFile) -> list[str]:
    """What a gateway says about money when it starts, one line per subject."""
    cost = policy.document.cost_tracking
    if not cost.enabled:
        return ["Cost tracking: disabled", _alerts_line(policy)]
    enforcement = str(cost.wallet_enforcement).lower()
    return [f"Cost tracking: enabled, wallet_enforcement={enforcement}", _alerts_line(policy)]


def _alerts_line(policy: PolicyFile) -> str:
    alerts = policy.document.cost_tracking.budget_alerts
    steps = [f"{percent(alert)}→{alert.action}" for alert in alerts]
    return f"Budget alerts: {', '.join(steps) or 'none'}"
