"""What lint says about a wrong file, and where."""

from pathlib import Path

import pytest

from gateway import policy
from tests.gateway.policy.conftest import SMALL, Errors

WRONG = [
    ("version: '1'", "version: '2'", "1:1: error: 'version' must be '1'"),
    (
        "consumer_groups:",
        "consumer_group:",
        "7:1: error: unknown key 'consumer_group' (did you mean 'consumer_groups'?)",
    ),
    (
        "    wallet_team_id:",
        "    wallet_team:",
        "10:5: error: unknown key 'wallet_team' (did you mean 'wallet_team_id'?)",
    ),
    (
        "provider: openai",
        "provider: openia",
        "5:7: error: provider 'openia' has no known address: set base_url (did you mean 'openai'?)",
    ),
    (
        "env: OPENAI_API_KEY",
        "env: OPENAI_KEY",
        "6:24: error: environment variable OPENAI_KEY is not set (did you mean 'OPENAI_API_KEY'?)",
    ),
    (
        "env: OPENAI_API_KEY",
        "env: OPENAI_API_KEY, store: main",
        "6:7: error: give either 'env' or 'store'",
    ),
    (
        "env: OPENAI_API_KEY",
        "store: main",
        "6:24: error: no stored secret 'main' (use env: NAME_OF_A_VARIABLE)",
    ),
    (
        "kt_cg_engineering",
        "sk-engineering",
        "9:5: error: 'api_key' must start with 'kt_cg_' and have no spaces",
    ),
    (
        "    api_key: kt_cg_engineering\n",
        "",
        "8:5: error: group 'engineering' needs either api_key or api_key_ref",
    ),
    (
        "  - name: engineering",
        "  - name: engineering\n    id: other",
        "9:5: error: 'id' means the same as 'name' on line 8; keep one of them",
    ),
    (
        "id: openai",
        "id: openai\n      base_url: ftp://x",
        "5:7: error: must be an address such as https://api.example.com/v1",
    ),
    (
        "id: openai",
        "id: openai\n      base_url: https://me:secret@x/v1",
        "5:7: error: must not carry a name or password; use secret_key_ref",
    ),
    ("id: openai", "id: openai\n      weight: -1", "5:7: error: 'weight' must be greater than"),
    ("id: openai", "id: openai\n      weight: .nan", "5:15: error: a number must be finite"),
    ("id: openai", "id: openai\n      id: twice", "5:7: error: duplicate key 'id'; it stands on"),
]


@pytest.mark.parametrize(("old", "new", "expected"), WRONG)
def test_names_the_place_and_the_way_out(errors: Errors, old: str, new: str, expected: str) -> None:
    assert old in SMALL
    found = errors(SMALL.replace(old, new, 1))
    assert any(line.startswith(expected) for line in found), found


def test_correct_file_has_no_errors(errors: Errors) -> None:
    assert errors(SMALL) == []


def test_every_problem_is_reported_at_once(errors: Errors) -> None:
    text = SMALL.replace("'1'", "'9'").replace("api_key:", "apikey:") + "cashe: {}\n"
    assert [line.split(" ", 1)[0] for line in errors(text)] == ["1:1:", "9:5:", "11:1:"]


@pytest.mark.parametrize(
    ("key", "again"), [("name", "engineering"), ("api_key", "kt_cg_engineering")]
)
def test_groups_may_not_share_a_name_or_a_key(errors: Errors, key: str, again: str) -> None:
    other = {"name": "sales", "api_key": "kt_cg_sales", "wallet_team_id": "team_sales", key: again}
    found = errors(SMALL + "  - " + "\n    ".join(f"{k}: {v}" for k, v in other.items()) + "\n")
    assert len(found) == 1
    assert f"duplicate {key}" in found[0]


def test_a_shared_key_is_never_printed(errors: Errors) -> None:
    again = "  - {name: sales, api_key: kt_cg_engineering, wallet_team_id: team_sales}\n"
    assert "kt_cg_engineering" not in "".join(errors(SMALL + again))


def test_keys_from_the_environment_may_not_be_shared(environ: dict[str, str]) -> None:
    again = "  - {name: sales, api_key_ref: {env: SALES}, wallet_team_id: team_sales}\n"
    with pytest.raises(policy.PolicyError, match="another group has the same key"):
        policy.loads(SMALL + again, environ | {"SALES": "kt_cg_engineering"})


def test_unknown_team_is_an_error_when_the_teams_are_known(errors: Errors) -> None:
    assert errors(SMALL, known=policy.Known(["engineering"])) == []
    assert errors(SMALL, known=policy.Known(["team_engineers"])) == [
        "10:5: error: there is no team 'team_engineering' (did you mean 'team_engineers'?)"
    ]


def test_unknown_organization_is_an_error_when_they_are_known(errors: Errors) -> None:
    text = SMALL + "organization: acne\n"
    assert errors(text) == []
    assert errors(text, known=policy.Known(organizations=["acme"])) == [
        "11:1: error: there is no organization 'acne' (did you mean 'acme'?)"
    ]


def alerts(*steps: str) -> str:
    lines = "".join(f"    - {{threshold_percent: {step}}}\n" for step in steps)
    return f"{SMALL}cost_tracking:\n  budget_alerts:\n{lines}"


BLOCK = "policies:\n  - {name: no-hate, type: content_filter, action: %s}\n"


def test_a_filter_that_blocks_before_targets_without_moderations_is_warned_of(
    environ: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "policy-config.yaml"
    path.write_text(SMALL.replace("provider: openai", "provider: anthropic") + BLOCK % "block")

    found = [str(problem) for problem in policy.lint(path, environ)]

    assert [text.partition(": ")[2] for text in found if "moderations" in text] == [
        "warning: block refuses every request: all targets are of kind anthropic, which has no "
        "moderations (add a target with /moderations that serves the same models, or use flag)"
    ]


@pytest.mark.parametrize(("kind", "action"), [("openai", "block"), ("anthropic", "flag")])
def test_a_filter_that_can_be_asked_or_is_open_is_not_warned_of(
    environ: dict[str, str], tmp_path: Path, kind: str, action: str
) -> None:
    path = tmp_path / "policy-config.yaml"
    path.write_text(SMALL.replace("provider: openai", f"provider: {kind}") + BLOCK % action)

    assert not [one for one in policy.lint(path, environ) if "moderations" in str(one)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            alerts("150, action: block"),
            "13:8: warning: block at 150% lets a team spend more than its budget first",
        ),
        (
            alerts("80, action: notify", "80.0, action: block"),
            "14:8: warning: duplicate threshold 80% with another action",
        ),
        (
            SMALL,
            "9:5: warning: the key is shorter than 20 characters: it can be guessed "
            "(take one that the console makes)",
        ),
    ],
)
def test_odd_values_are_warned_of(
    environ: dict[str, str], tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "policy-config.yaml"
    file.write_text(text)
    policy.load(file, environ)
    assert f"{file}:{message}" in [str(problem) for problem in policy.lint(file, environ)]


def test_a_key_of_20_characters_is_long_enough(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "policy-config.yaml"
    file.write_text(SMALL.replace("kt_cg_engineering", "kt_cg_engineering_ab"))
    assert [p for p in policy.lint(file, environ) if "shorter" in p.message] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "the file is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"a: [", "not YAML"),
        (b"- 1", "a policy file is a mapping"),
        (b"a: &x 1", "anchors and aliases are not accepted"),
        (b"a: *x", "anchors and aliases are not accepted"),
        (b"a: !!python/name:os.system x", "tags are not accepted"),
        (b"[" * 40, "nested deeper than 32 levels"),
        (b"a: 1\n---\nb: 1", "second document"),
        (b"x" * 1_048_577, "larger than 1048576 bytes"),
    ],
)
def test_refuses_what_is_no_policy(errors: Errors, text: bytes, message: str) -> None:
    assert any(message in line for line in errors(text))


def test_unreadable_file_is_a_problem(tmp_path: Path) -> None:
    (problem,) = policy.lint(tmp_path / "absent.yaml", {})
    assert problem.message == "cannot read the file: No such file or directory"
    with pytest.raises(policy.PolicyError, match="No such file"):
        policy.load(tmp_path / "absent.yaml", {})


def test_every_mistake_is_named_in_one_go(errors: Errors) -> None:
    group = "  - {name: engineering, api_key: kt_cg_other, wallet_team_id: team_enginering}\n"
    text = SMALL.replace("id: openai", "id: openai\n      weight: -1", 1) + group
    known = policy.Known(teams=["engineering"])

    assert errors(text, known=known) == [
        "5:7: error: 'weight' must be greater than or equal to 0",
        "12:6: error: duplicate name 'engineering': entry 1 of this list has it already",
        "12:47: error: there is no team 'team_enginering' (did you mean 'team_engineering'?)",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    wallet_team_id: team_engineering\n", ""),
        ("kt_cg_engineering", "sk-engineering"),
        ("env: OPENAI_API_KEY", "env: 'not a name'"),
        ("provider: openai", "provider: 7"),
        ("  - name: engineering\n", "  - 7\n  - name: engineering\n"),
        ("providers:", "provider:"),
    ],
)
def test_what_does_not_fit_is_named_once(errors: Errors, old: str, new: str) -> None:
    found = errors(SMALL.replace(old, new, 1), known=policy.Known(teams=["engineering"]))
    wanted = 2 if old == "providers:" else 1  # an unknown key, and the one that is missing
    assert len(found) == wanted, found


def test_the_only_choice_is_not_suggested_again(errors: Errors) -> None:
    filters = "policies:\n  - {name: texts, type: content-filter, action: flag}\n"
    assert errors(SMALL + filters) == ["12:19: error: 'type' must be 'content_filter'"]
