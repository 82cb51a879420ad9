"""Equal meaning, equal key; any other meaning, owner, model or header, another key."""

import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.cache import keys

CHAT = "chat.completions"
OWNER = ("org_a", "team", "1")

texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False, width=32)
leaves = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    [
        *("temperature", "top_p", "max_tokens", "max_completion_tokens", "tools", "tool_choice"),
        *("response_format", "seed", "stop", "logit_bias", "reasoning_effort", "n", "x_vendor"),
        *("frequency_penalty", "presence_penalty", "logprobs", "verbosity", "modalities"),
    ]
)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "content": texts}),
    min_size=1,
    max_size=3,
)
requests = st.builds(
    lambda said, more: {"messages": said} | more,
    messages,
    st.dictionaries(names, values, max_size=4),
)
ignored = st.dictionaries(st.sampled_from(sorted(keys.IGNORED)), values, max_size=4)


def key(request: dict[str, Any], **changes: Any) -> str:
    facts: dict[str, Any] = {
        "owner": OWNER, "route": CHAT, "model": "gpt-4o-mini", "form": "any", "bound": 4096,
        "headers": {},
    }  # fmt: skip
    return keys.key(**(facts | changes), request=request)


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same JSON with its keys in another order, whole numbers written the other way."""
    if isinstance(value, dict):
        items = [(name, shuffled(item, chance)) for name, item in value.items()]
        chance.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return [shuffled(item, chance) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and chance.random() < 0.5:
        return float(value)
    return value


def said(value: Any) -> Any:
    """What a JSON value means, by other means than the code's: numbers by their value alone."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, list):
        return [said(item) for item in value]
    return {name: said(item) for name, item in value.items()}


@given(requests, ignored, st.randoms(use_true_random=False))
def test_order_spelling_of_numbers_and_ignored_fields_do_not_matter(
    request: dict[str, Any], more: dict[str, Any], chance: random.Random
) -> None:
    assert key(shuffled(request, chance) | more) == key(request)


@given(requests, names)
def test_null_means_left_out(request: dict[str, Any], name: str) -> None:
    without = {key: value for key, value in request.items() if key != name}
    assert key(without | {name: None}) == key(without)


@given(requests, requests)
def test_keys_are_equal_exactly_where_the_meaning_is(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    plain = [
        {
            name: said(value)
            for name, value in request.items()
            if value is not None and (name, said(value)) not in DEFAULTS
        }
        for request in (first, second)
    ]
    assert (key(first) == key(second)) == (plain[0] == plain[1])


DEFAULTS = [("n", 1.0), ("frequency_penalty", 0.0), ("presence_penalty", 0.0)]


@given(requests, names, values, values)
def test_any_other_value_of_a_field_that_counts_is_another_key(
    request: dict[str, Any], name: str, value: Any, other: Any
) -> None:
    assume(said(value) != said(other))
    assume(not {("null"), 0.0, 1.0} & {v for v in (said(value), said(other)) if _hashable(v)})
    assert key(request | {name: value}) != key(request | {name: other})


def _hashable(value: Any) -> bool:
    return not isinstance(value, dict | list)


@given(requests)
def test_nobody_else_and_no_other_model_shares_a_key(request: dict[str, Any]) -> None:
    found = [
        key(request),
        key(request, owner=("org_b", "team", "1")),
        key(request, owner=("org_a", "team", "2")),
        key(request, owner=("org_a", "org")),
        key(request, owner=("org_a", "user", "1", "1")),
        key(request, owner=("org_a", "user", "11")),
        key(request, model="gpt-4o"),
        key(request, route="completions"),
        key(request, form="plain"),
        key(request, bound=100),
        key(request, headers={b"anthropic-beta": b"context-1m"}),
        key(request, headers={b"openai-beta": b"context-1m"}),
    ]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    "change",
    [
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "a"},
            ]
        },
        {"messages": [{"role": "user", "content": "a "}]},
        {"temperature": 0},
        {"tools": [{"type": "function", "function": {"name": "now"}}]},
        {"max_tokens": 5},
        {"logprobs": True},
        {"a_field_nobody_knows": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_changes_the_answer_changes_the_key(change: dict[str, Any]) -> None:
    request = {"messages": [{"role": "user", "content": "a"}]}
    assert key(request | change) != key(request)


def test_true_is_not_one_and_a_text_is_no_number() -> None:
    assert len({key({"seed": value}) for value in (1, True, "1", [1], {"1": 1})}) == 5


def test_what_is_left_out_means_the_documented_default() -> None:
    assert key({"n": 1, "frequency_penalty": 0.0, "presence_penalty": 0}) == key({})
    assert key({"n": True}) != key({})
    assert key({"n": 1}, route="responses") != key({}, route="responses")


def test_headers_count_where_the_provider_heeds_them() -> None:
    two = {b"anthropic-beta": b"a, b", b"x-request-id": b"1", b"openai-project": b"p"}
    assert key({}, headers=two) == key({}, headers={b"anthropic-beta": b"b,a"})
    assert key({}, headers={b"anthropic-version": b"2023-06-01"}) != key({})


def test_a_body_is_read_as_the_gateway_reads_it() -> None:
    first = orjson.loads(b'{"seed": 1.0, "stop": ["a"]}')
    second = orjson.loads(b'{"stop":["a"],"seed":1}')
    assert key(first) == key(second)


OBSTACLES: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"temperature": 0.1}),
    (CHAT, {"temperature": "0.1"}),
    (CHAT, {"n": 2}),
    ("completions", {"best_of": 3}),
    (CHAT, {"store": True}),
    (CHAT, {"web_search_options": {"search_context_size": "low"}}),
    (CHAT, {"tools": [{"type": "web_search_preview"}]}),
    (CHAT, {"tools": "all"}),
    ("responses", {}),
    ("responses", {"store": None}),
    ("responses", {"store": False, "previous_response_id": "resp_1"}),
    ("responses", {"store": False, "background": True}),
    ("responses", {"store": False, "conversation": "conv_1"}),
    ("responses", {"store": False, "prompt": {"id": "pmpt_1"}}),
    ("responses", {"store": False, "input": [{"type": "item_reference", "id": "msg_1"}]}),
    ("messages", {"container": "container_1"}),
    ("messages", {"mcp_servers": [{"url": "https://example.com"}]}),
]
NO_OBSTACLES: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {}),
    (CHAT, {"temperature": None}),
    (CHAT, {"temperature": 0.0, "n": 1, "store": False}),
    (CHAT, {"tools": [{"type": "function", "function": {"name": "now"}}]}),
    ("completions", {"prompt": "Once upon a time"}),
    ("responses", {"store": False, "input": [{"role": "user", "content": "a"}]}),
    ("messages", {"tools": [{"name": "now", "input_schema": {}}], "mcp_servers": []}),
]


@pytest.mark.parametrize(("route", "request_"), OBSTACLES, ids=str)
def test_what_depends_on_more_than_the_request_is_never_kept(
    route: str, request_: dict[str, Any]
) -> None:
    assert keys.obstacle(route, request_, sampled=False)


@pytest.mark.parametrize(("route", "request_"), NO_OBSTACLES, ids=str)
def test_everything_else_is_kept(route: str, request_: dict[str, Any]) -> None:
    assert keys.obstacle(route, request_, sampled=False) is None


def test_sampled_answers_are_kept_where_the_policy_says_so() -> None:
    assert keys.obstacle(CHAT, {"temperature": 0.7, "n": 2}, sampled=True) is None
    assert keys.obstacle(CHAT, {"temperature": 0.7, "store": True}, sampled=True)
