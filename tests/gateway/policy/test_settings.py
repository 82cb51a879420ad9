"""What settings mean once a file is loaded."""

from pathlib import Path

import pytest

from gateway import policy
from gateway.policy import enforcement
from gateway.policy.enforcement import NotEnforced
from gateway.policy.shape import known_keys
from tests.gateway.policy.conftest import SMALL, Load

GROUP_LINE = "    wallet_team_id: team_engineering\n"


def test_wallets_are_enforced_when_nothing_is_said(loaded: Load) -> None:
    found = loaded()
    assert found.document.cost_tracking.enabled is True
    assert found.groups[0].wallet_enforcement is True
    assert found.groups[0].unpriced_models == "refuse"
    assert found.groups[0].on_exhausted == "block"


@pytest.mark.parametrize("written", ["wallet_enforcement", "enforce_budget"])
def test_enforcement_has_two_names(loaded: Load, written: str) -> None:
    found = loaded(f"cost_tracking: {{{written}: false}}\n")
    assert found.groups[0].wallet_enforcement is False


@pytest.mark.parametrize(
    "written",
    [
        "budget_alerts: [{threshold_percent: 99.5, action: block}]\n",
        "alert_thresholds: [{threshold_percent: 99.5, action: block}]\n",
        "cost_tracking: {alert_thresholds: [{threshold_percent: 99.5, action: block}]}\n",
    ],
)
def test_budget_alerts_have_two_names_and_two_places(loaded: Load, written: str) -> None:
    assert policy.start_lines(loaded(written))[1] == "Budget alerts: 99.5%→block"


def test_budget_alerts_in_both_places_are_refused(loaded: Load) -> None:
    with pytest.raises(policy.PolicyError, match="means the same as 'budget_alerts'"):
        loaded("cost_tracking: {budget_alerts: []}\nbudget_alerts: []\n")


@pytest.mark.parametrize("name", ["cache", "workflow_cache", "engineering_cache"])
def test_cache_has_three_names(loaded: Load, name: str) -> None:
    found = loaded(f"{name}: {{enabled: true, fabric_scope: user, ttl_seconds: 60}}\n")
    assert found.document.cache.ttl_seconds == 60
    assert found.groups[0].fabric_scope == "user"


def test_group_overrides_cost_tracking(loaded: Load) -> None:
    own = GROUP_LINE + (
        "    on_exhausted: hold\n    hold: worst_case\n"
        "    wallet_enforcement: false\n    unpriced_models: allow\n    fabric_scope: org\n"
    )
    (group,) = loaded(old=GROUP_LINE, new=own).groups
    assert (group.on_exhausted, group.hold, group.wallet_enforcement) == (
        "hold",
        "worst_case",
        False,
    )
    assert (group.unpriced_models, group.fabric_scope) == ("allow", "org")


def test_group_may_be_named_by_id(loaded: Load) -> None:
    assert loaded(old="- name: eng", new="- id: eng").groups[0].name == "engineering"


def test_group_key_comes_from_the_environment(loaded: Load) -> None:
    found = loaded(
        old="api_key: kt_cg_engineering", new="api_key_ref: {env: ENG}", ENG="kt_cg_secret"
    )
    assert found.groups[0].api_key == "kt_cg_secret"


def test_stored_secret_is_used(environ: dict[str, str]) -> None:
    text = SMALL.replace("env: OPENAI_API_KEY", "store: main")
    assert policy.loads(text, environ, secrets={"main": "sk-stored"}).targets[0].api_key == (
        "sk-stored"
    )


def test_bare_off_is_a_history_mode(loaded: Load) -> None:
    assert loaded("history: {mode: off}\n").document.history.mode == "off"


def test_version_may_be_a_number(loaded: Load) -> None:
    assert loaded(old="'1'", new="1").document.version == "1"


def test_group_takes_the_default_rate_limits(loaded: Load) -> None:
    limits = loaded("rate_limit_defaults: {requests_per_minute: 9}\n").groups[0].rate_limits
    assert limits is not None
    assert limits.requests_per_minute == 9


def test_targets_are_chosen_by_model_and_priority(loaded: Load) -> None:
    more = (
        "    - {id: any, provider: local, base_url: 'http://x/v1', priority: 2}\n"
        "    - {id: mini, provider: local, base_url: 'http://x/v1', models: [mini]}\n"
    )
    found = loaded(old="consumer_groups:", new=more + "consumer_groups:")
    assert [target.id for target in found.targets_for("mini")] == ["openai", "mini", "any"]
    assert [target.id for target in found.targets_for("other")] == ["openai", "any"]


def test_start_lines_when_tracking_is_off(loaded: Load) -> None:
    found = loaded("cost_tracking: {enabled: false}\n")
    assert policy.start_lines(found) == ["Cost tracking: disabled", "Budget alerts: none"]


def test_version_follows_the_meaning_and_not_the_spelling(loaded: Load) -> None:
    plain = loaded().config_version
    assert len(plain) == 12
    assert loaded("# a remark\ncost_tracking: {enabled: true}\n").config_version == plain
    assert loaded("cost_tracking: {unpriced_models: allow}\n").config_version != plain
    assert loaded(OPENAI_BASE_URL="http://127.0.0.1/v1").config_version != plain
    assert loaded(old="kt_cg_eng", new="kt_cg_new").config_version != plain


def test_version_follows_a_key_in_the_environment(loaded: Load) -> None:
    change = {"old": "api_key: kt_cg_engineering", "new": "api_key_ref: {env: ENG}"}
    first = loaded(**change, ENG="kt_cg_first").config_version
    assert loaded(**change, ENG="kt_cg_first").config_version == first
    assert loaded(**change, ENG="kt_cg_second").config_version != first


def test_nothing_shown_has_a_secret(loaded: Load) -> None:
    found = loaded("api: {url: 'http://x', token_env: KEEPTRUSTS_API_TOKEN}\n")
    for text in (str(found.redacted()), repr(found.targets), repr(found.groups)):
        assert not any(word in text for word in ("sk-test", "kt_live_test", "kt_cg_engineering"))


def test_unenforced_settings_exist_in_the_schema() -> None:
    """A row that no file can reach would be a warning nobody ever sees."""
    for row in enforcement.NOT_ENFORCED:
        path = tuple(0 if step == "*" else step for step in row.path)
        last = next(index for index in reversed(range(len(path))) if path[index] != 0)
        assert path[last] in known_keys(path[:last])


def test_lint_is_honest_about_what_is_not_enforced(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = NotEnforced(("history", "mode"), lambda value: value == "full", "nothing is kept")
    monkeypatch.setattr(enforcement, "NOT_ENFORCED", (row,))
    file = tmp_path / "policy.yaml"
    file.write_text(SMALL + "history: {mode: full}\n")
    found = [problem for problem in policy.lint(file, environ) if problem.line > 10]
    assert [(problem.severity, problem.message) for problem in found] == [
        (policy.Severity.WARNING, "accepted, not enforced by this version: nothing is kept")
    ]


@pytest.mark.parametrize("days", ["0", "3651", "1.5", "'30'"])
def test_texts_are_kept_for_1_to_3650_days(
    environ: dict[str, str], tmp_path: Path, days: str
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SMALL + f"history: {{mode: full, keep_days: {days}}}\n")
    errors = [found for found in policy.lint(file, environ) if found.severity == "error"]
    assert [("keep_days" in found.message, found.line) for found in errors] == [(True, 11)]


def test_texts_are_kept_for_30_days_where_nothing_is_said(loaded: Load) -> None:
    assert loaded("history: {mode: full}\n").document.history.keep_days == 30


def test_block_alone_is_enforced(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SMALL + "budget_alerts: [{threshold_percent: 100, action: block}]\n")
    assert not any("not enforced" in found.message for found in policy.lint(file, environ))


def test_clear_text_key_is_warned_of(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SMALL)
    found, _too_short = policy.lint(file, environ)
    assert (found.line, found.severity) == (9, policy.Severity.WARNING)
    assert found.message == "a key in clear text: unsafe in production"
