"""What holds for every text and every policy."""

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway import policy
from gateway.policy.schema import PolicyDocument
from gateway.policy.shape import known_keys
from tests.gateway.policy.conftest import ENVIRON

WORDS = sorted(
    {key for path in [(), ("cost_tracking",), ("consumer_groups", 0)] for key in known_keys(path)}
    | {"targets", "env", "openai", "team_a", "kt_cg_a", "block", "notify", "shadow", "'1'", "off"}
)
PIECES = st.sampled_from(
    [*WORDS, ": ", "\n", "\n  ", "\n    - ", "{", "}", "[", "]", ",", "&a", "*a"]
)
YAML_LIKE = st.lists(PIECES | st.text(max_size=3), max_size=60).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=25,
)


def _problems_or_policy(text: str | bytes) -> None:
    try:
        assert isinstance(policy.loads(text, ENVIRON), policy.PolicyFile)
    except policy.PolicyError as error:
        assert error.problems
        assert all(problem.line >= 1 and problem.column >= 1 for problem in error.problems)
        assert any(problem.severity is policy.Severity.ERROR for problem in error.problems)


@given(YAML_LIKE | st.text())
def test_any_text_gives_problems_or_a_policy(text: str) -> None:
    _problems_or_policy(text)


@given(st.binary())
def test_any_bytes_give_problems_or_a_policy(data: bytes) -> None:
    _problems_or_policy(data)


@given(VALUES)
def test_any_document_gives_problems_or_a_policy(value: object) -> None:
    _problems_or_policy(yaml.safe_dump(value))


@given(
    st.dictionaries(st.sampled_from([*known_keys(()), "extra"]), VALUES, max_size=4),
    st.lists(VALUES, max_size=2),
)
def test_any_section_gives_problems_or_a_policy(sections: object, groups: object) -> None:
    assert isinstance(sections, dict)
    target = {"id": "a", "provider": "openai"}
    document = {"version": "1", "providers": {"targets": [target]}, "consumer_groups": groups}
    _problems_or_policy(yaml.safe_dump(document | sections))


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True)
SECONDS = st.floats(0.5, 3600) | st.integers(1, 3600)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, object]:
    """Correct policy files of many shapes."""
    names = draw(st.lists(NAMES, max_size=4, unique=True))
    groups = [
        {"name": name, "api_key": f"kt_cg_{name}", "wallet_team_id": f"team_{name}"}
        | draw(st.fixed_dictionaries({}, optional={"hold": st.just("worst_case")}))
        for name in names
    ]
    target = {"provider": draw(st.sampled_from(["openai", "groq"])), "timeouts": {}}
    targets = [target | {"id": name} for name in draw(st.lists(NAMES, min_size=1, unique=True))]
    thresholds = draw(st.lists(st.integers(1, 200) | st.floats(0.5, 100), max_size=4, unique=True))
    cost = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "enabled": st.booleans(),
                "wallet_enforcement": st.sampled_from([True, False, "shadow"]),
                "hold_timeout_seconds": SECONDS,
                "default_max_output_tokens": st.integers(1, 100_000),
            },
        )
    )
    alerts = [{"threshold_percent": percent, "action": "notify"} for percent in thresholds]
    return {
        "version": "1",
        "providers": {"targets": targets},
        "consumer_groups": groups,
        "cost_tracking": cost | {"budget_alerts": alerts},
        "history": {"mode": draw(st.sampled_from(["off", "metadata", "full"]))},
    }


@given(documents())
def test_a_dumped_policy_loads_as_the_same(document: dict[str, object]) -> None:
    first = policy.loads(json.dumps(document), ENVIRON)
    assert policy.loads(policy.dump(first), ENVIRON) == first


@given(documents())
def test_every_value_of_a_correct_file_is_kept(document: dict[str, object]) -> None:
    loaded = policy.loads(json.dumps(document), ENVIRON).document
    assert loaded == PolicyDocument.model_validate(document)
