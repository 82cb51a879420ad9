"""The shape of ``policy-config.yaml``: every key, its values, its default.

Aliases are gone when these models see the document (``aliases.py``). Unknown keys are refused.
What several keys must satisfy together is in ``rules.py``.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

MAX_SECONDS = 86_400
DEFAULT_MAX_OUTPUT_TOKENS = 4096

Name: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$", strict=True)
]
Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=500, strict=True)]
ModelName: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=120, strict=True)]
ApiKey: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^kt_cg_[\x21-\x7e]{1,250}$", strict=True)
]
Variable: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,199}$", strict=True)
]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Seconds: TypeAlias = Annotated[float, Field(strict=True, gt=0, le=MAX_SECONDS)]
Wait: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=3600)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]


def _off_is_text(value: object) -> object:
    """YAML reads a bare ``off`` as false."""
    return "off" if value is False else value


def _version_text(value: object) -> object:
    return str(value) if type(value) is int else value


Enforcement: TypeAlias = Literal[True, False, "shadow"]
OnExhausted: TypeAlias = Literal["block", "hold", "warn"]
Hold: TypeAlias = Literal["progressive", "worst_case"]
Unpriced: TypeAlias = Literal["refuse", "allow"]
FabricScope: TypeAlias = Literal["org", "team", "user"]


class Section(BaseModel):
    """A mapping of the file: its keys are known, its values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SecretRef(Section):
    """Where a provider's key is found: an environment variable or the secret store."""

    env: Variable | None = None
    store: Name | None = None


class EnvironmentRef(Section):
    """A secret in an environment variable."""

    env: Variable


class Timeouts(Section):
    """Upstream timeouts in seconds; ``first_byte`` and ``idle`` bound streams only."""

    connect: Seconds = 5.0
    first_byte: Seconds = 60.0
    idle: Seconds = 60.0
    total: Seconds = 600.0


class TargetSettings(Section):
    """A provider endpoint. ``models`` empty: any model name is passed on."""

    id: Name
    provider: Name
    secret_key_ref: SecretRef | None = None
    base_url: Text | None = None
    models: list[ModelName] = []
    weight: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 1
    priority: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 0
    timeouts: Timeouts = Timeouts()
    on_disconnect: Literal["drain", "stop"] = "drain"


class Providers(Section):
    """Where requests go."""

    targets: Annotated[list[TargetSettings], Field(min_length=1)]


class RateLimits(Section):
    """Requests and tokens allowed in a window; a missing one is no limit."""

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    tokens_per_day: Count | None = None


class GroupSettings(Section):
    """A consumer group: who calls with a key, and the team whose wallet pays.

    The last five keys override ``cost_tracking`` and ``cache`` for this group.
    """

    name: Name
    api_key: ApiKey | None = None
    api_key_ref: EnvironmentRef | None = None
    wallet_team_id: Name
    allowed_models: list[ModelName] | None = None
    rate_limits: RateLimits | None = None
    on_exhausted: OnExhausted | None = None
    hold: Hold | None = None
    wallet_enforcement: Enforcement | None = None
    unpriced_models: Unpriced | None = None
    fabric_scope: FabricScope | None = None


class BudgetAlert(Section):
    """At ``threshold_percent`` of the budget used: notify once, or refuse further requests."""

    threshold_percent: Annotated[float, Field(strict=True, gt=0, le=1000)]
    action: Literal["notify", "block"]


class CostTracking(Section):
    """How requests are paid. Left out, requests are paid from wallets and unpriced ones refused."""

    enabled: Flag = True
    wallet_enforcement: Enforcement = True
    budget_alerts: list[BudgetAlert] = []
    on_exhausted: OnExhausted = "block"
    on_exhausted_stream: Literal["cut", "finish"] = "cut"
    hold: Hold = "progressive"
    hold_timeout_seconds: Wait = 30.0
    contention_wait_seconds: Wait = 10.0
    default_max_output_tokens: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] = (
        DEFAULT_MAX_OUTPUT_TOKENS
    )
    unpriced_models: Unpriced = "refuse"
    max_price_ratio: Annotated[float, Field(strict=True, ge=1, le=1000)] | None = None
    write_off_per_day: Annotated[float, Field(strict=True, ge=0, le=1_000_000)] = 5.0


class Api(Section):
    """The console's API: its address and the variable that holds the gateway's token."""

    url: Text
    token_env: Variable


class ContentFilterConfig(Section):
    """Which categories of the moderation answer count; empty: all."""

    categories: list[Text] = []


class ContentFilter(Section):
    """Moderation of prompts before they are sent on."""

    name: Name
    type: Literal["content_filter"]
    action: Literal["flag", "block"]
    config: ContentFilterConfig = ContentFilterConfig()


class Cache(Section):
    """The response cache."""

    enabled: Flag = False
    fabric_scope: FabricScope = "team"
    ttl_seconds: Annotated[int, Field(strict=True, ge=1, le=31_536_000)] = 3600
    sampled: Flag = False


class History(Section):
    """Which texts of requests and answers are kept."""

    mode: Annotated[Literal["off", "metadata", "full"], BeforeValidator(_off_is_text)] = "off"
    keep_days: Annotated[int, Field(strict=True, ge=1, le=3650)] = 30


class PolicyDocument(Section):
    """The whole file."""

    version: Annotated[Literal["1"], BeforeValidator(_version_text)]
    organization: Name | None = None
    providers: Providers
    consumer_groups: list[GroupSettings] = []
    cost_tracking: CostTracking = CostTracking()
    cache: Cache = Cache()
    policies: list[ContentFilter] = []
    rate_limit_defaults: RateLimits | None = None
    history: History = History()
    api: Api | None = None


def percent(alert: BudgetAlert) -> str:
    """``50%``: the threshold without needless digits."""
    return f"{Decimal(str(alert.threshold_percent)).normalize():f}%"


def declared(document: PolicyDocument) -> dict[str, Any]:
    """The document as plain values, only what differs from the defaults."""
    return document.model_dump(mode="json", exclude_defaults=True) | {"version": document.version}
