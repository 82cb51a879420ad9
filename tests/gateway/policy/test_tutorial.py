"""The policy file of the tutorial on cost tracking and budgets."""

from pathlib import Path

import pytest

from gateway import policy

TUTORIAL = Path(__file__).parents[2] / "fixtures" / "policies" / "tutorial-002.yaml"


@pytest.fixture
def tutorial(environ: dict[str, str]) -> policy.PolicyFile:
    return policy.load(TUTORIAL, environ)


def test_lints_without_an_error(environ: dict[str, str]) -> None:
    found = policy.lint(TUTORIAL, environ)
    assert [problem for problem in found if problem.severity is policy.Severity.ERROR] == []


def test_warns_of_what_this_version_does_not_enforce(environ: dict[str, str]) -> None:
    found = [
        (problem.line, problem.message)
        for problem in policy.lint(TUTORIAL, environ)
        if "not enforced" in problem.message
    ]
    assert found == []


def test_start_lines_are_those_of_the_tutorial(tutorial: policy.PolicyFile) -> None:
    assert policy.start_lines(tutorial) == [
        "Cost tracking: enabled, wallet_enforcement=true",
        "Budget alerts: 50%→notify, 80%→notify, 95%→notify, 100%→block",
    ]


def test_target_is_openai_with_the_key_of_the_environment(tutorial: policy.PolicyFile) -> None:
    (target,) = tutorial.targets
    assert (target.base_url, target.api_key, target.official) == (
        "https://api.openai.com/v1",
        "sk-test",
        True,
    )


def test_groups_pay_from_their_teams(tutorial: policy.PolicyFile) -> None:
    assert [(group.name, group.team_slug, group.api_key) for group in tutorial.groups] == [
        ("engineering", "engineering", "kt_cg_engineering_abc123"),
        ("marketing", "marketing", "kt_cg_marketing_def456"),
    ]


def test_missing_environment_variables_are_errors() -> None:
    found = [str(p).split(": ", 1)[1] for p in policy.lint(TUTORIAL, {}) if p.severity == "error"]
    assert found == [
        "error: environment variable OPENAI_API_KEY is not set "
        "(export OPENAI_API_KEY=… before the start)",
        "error: environment variable KEEPTRUSTS_API_TOKEN is not set "
        "(export KEEPTRUSTS_API_TOKEN=… before the start)",
    ]


def test_openai_base_url_of_the_environment_is_honoured(environ: dict[str, str]) -> None:
    environ["OPENAI_BASE_URL"] = "http://127.0.0.1:18080/v1/"
    (target,) = policy.load(TUTORIAL, environ).targets
    assert (target.base_url, target.official) == ("http://127.0.0.1:18080/v1", False)
