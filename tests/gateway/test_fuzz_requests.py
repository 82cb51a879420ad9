"""No request, however odd, makes the gateway fail, leaks a hold or is charged wrongly."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import metered
from tests.fakes.hostile import Asked, Hostile, Script
from tests.gateway import fuzzing
from tests.gateway.conftest import Serve, World
from tests.gateway.fuzzing import ROUTES, SEEDS, Books
from tests.gateway.serving import RunningGateway

pytestmark = pytest.mark.django_db(transaction=True)

NUMBERS = [
    *(0, -1, 1, 2, 128, 4096, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, 1.5, -0.0, 1e300, 5e-324),
    *(float("nan"), float("inf"), float("-inf")),
]
TEXTS = [
    *("", " ", "\0", "\ud800", "\udfff\ud800", "\u202e\ufeff", "\U0001f600" * 50, "x" * 20_000),
    *("null", "auto", "none", "default", "flex", "gpt-4o-mini", "claude-sonnet-5", "../../etc"),
    *("data:image/png;base64,iVBORw0KGgo=", "data:;base64,%%%", "https://[::1"),
]
ODDITIES: list[Any] = [
    *([], {}, [[]], [{}], [None], {"": None}, {"type": None}, {"type": "text"}, [1, 2, 3]),
    {"type": "text", "text": "x"}, {"type": "text", "text": 7}, {"role": "user", "content": None},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "high"}},
    {"type": "image_url", "image_url": "x"}, {"type": "input_audio", "input_audio": {"data": ""}},
    {"type": "image", "source": {"type": "base64", "media_type": 1, "data": None}},
    {"type": "tool_use", "id": "a", "name": "b", "input": {}}, {"type": "tool_result"},
    {"type": "function", "function": {"name": "f", "parameters": {"$ref": "#"}}},
    {"role": "tool", "tool_call_id": "x", "content": "y"}, {"role": "assistant", "tool_calls": []},
    {"type": "web_search"}, {"type": "enabled", "budget_tokens": 2**40}, {"include_usage": "yes"},
    [{"role": "system", "content": [{"type": "text", "text": "x", "cache_control": {}}]}],
    {f"tag{n}": f"value {n}" for n in range(40)}, {"k" * 300: "v" * 3000, "n": 1},
    [[1, 2], [3]], [1, "a"], ["a"] * 3000, ["\ud800"], [-1, 2**70], [[]] * 50,
]  # fmt: skip
NAMES = [
    *("model", "messages", "prompt", "input", "instructions", "system", "stream", "stream_options"),
    *("n", "best_of", "max_tokens", "max_completion_tokens", "max_output_tokens", "min_tokens"),
    *("tools", "tool_choice", "functions", "function_call", "response_format", "text", "suffix"),
    *("logit_bias", "logprobs", "top_logprobs", "temperature", "top_p", "stop", "stop_sequences"),
    *("metadata", "user", "store", "seed", "modalities", "audio", "service_tier", "thinking"),
    *("reasoning", "reasoning_effort", "prediction", "echo", "dimensions", "encoding_format"),
    *("previous_response_id", "conversation", "background", "container", "mcp_servers"),
    *("MODEL", "maxTokens", "\ud800", "", "__proto__", "betas", "web_search_options"),
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(TEXTS),
    st.sampled_from(ODDITIES),
    st.none(),
    st.booleans(),
    st.integers(),
    st.recursive(
        st.none() | st.text(max_size=8) | st.floats(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=6,
    ),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from _places(inner, (*path, key))


def _changed(draw: st.DrawFn, body: dict[str, Any]) -> None:
    """One change somewhere inside."""
    how = draw(st.sampled_from(("put", "put", "replace", "replace", "delete", "repeat")))
    places = list(_places(body))
    if how == "put" or not places:
        body[draw(st.sampled_from(NAMES))] = copy.deepcopy(draw(VALUES))
        return
    *path, last = draw(st.sampled_from(places))
    inside: Any = body
    for key in path:
        inside = inside[key]
    if how == "replace":
        inside[last] = copy.deepcopy(draw(VALUES))
    elif how == "delete":
        del inside[last]
    else:
        inside[last] = [copy.deepcopy(inside[last])] * draw(st.sampled_from((2, 40)))


@st.composite
def bodies(draw: st.DrawFn, route: str) -> bytes:
    """A request of the route with a few things wrong, as bytes that may be wrong too."""
    body = copy.deepcopy(SEEDS[route])
    if route in fuzzing.STREAMING and draw(st.booleans()):
        body["stream"] = True
    for _ in range(draw(st.integers(0, 3))):
        _changed(draw, body)
    raw = json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    return draw(_spoilt(raw)) if draw(st.integers(0, 5)) == 0 else raw


@st.composite
def _spoilt(draw: st.DrawFn, raw: bytes) -> bytes:
    """Bytes that are no JSON, or JSON that another parser reads in another way."""
    place = draw(st.integers(0, len(raw)))
    depth = draw(st.sampled_from((10, 127, 130, 5_000)))
    twice = draw(st.sampled_from((b'"model":"gpt-4o"', b'"max_tokens":1e9', b'"stream":true')))
    return draw(
        st.sampled_from(
            (
                raw[:place],
                raw[:place] + b"\xff" + raw[place:],
                raw + b" x",
                b"\xef\xbb\xbf" + raw,
                b"{" + twice + b"," + raw[1:],
                raw[:-1] + b"," + twice + b"}",
                raw[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}",
                raw[:-1] + b',"metadata":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}",
                raw.replace(b"64", b"6" * 400),
                raw.replace(b"64", b"64.0"),
                b"",
                b"[" + raw + b"]",
            )
        )
    )


def odd(*likely: str) -> st.SearchStrategy[str]:
    """The value of a header: everything HTTP lets pass."""
    letters = st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f")
    anything = st.text(letters, max_size=60)
    return st.one_of(anything, st.sampled_from(likely)) if likely else anything


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "x-keeptrusts-tags": odd(",".join(f"t{n}=v{n}" for n in range(300)), "=,=,==", "a=" * 500),
        "x-keeptrusts-hold": odd("worst_case", "progressive"),
        "x-keeptrusts-cache": odd("bypass"),
        "idempotency-key": odd("a", "b", "k" * 255, "k" * 256),
        "cache-control": odd("no-cache", "no-store,max-age=x"),
        "traceparent": odd("00-" + "0" * 32 + "-" + "0" * 16 + "-01", "00-" + "a" * 49 + "-zz"),
        "tracestate": odd(),
        "anthropic-beta": odd("context-1m-2025-08-07"),
        "anthropic-version": odd(),
        "openai-organization": odd(),
        "content-type": odd("multipart/form-data"),
        "accept-encoding": st.just("gzip, br"),
    },
)


@pytest.fixture
def fuzzed(world: World, serve: Serve) -> Iterator[tuple[RunningGateway, Books]]:
    """One gateway before a provider that answers everything, for all examples of a test."""
    cache = {"enabled": True, "fabric_scope": "team", "ttl_seconds": 60}
    with Hostile(_sensible) as upstream, Books(world).open() as books:
        yield fuzzing.gateway_before(upstream, serve, cache=cache), books


def _sensible(asked: Asked) -> Script:
    """As if the request had been the one it was made of."""
    body = {**SEEDS["chat"], "input": "x", "stream": asked.body.get("stream") is True}
    return metered.answer(replace(asked, raw=json.dumps(body).encode()))


@pytest.mark.parametrize("route", ROUTES)
@fuzzing.bounded(20)
@given(data=st.data())
def test_no_request_breaks_anything(
    fuzzed: tuple[RunningGateway, Books], world: World, route: str, data: st.DataObject
) -> None:
    gateway, books = fuzzed
    body, headers = data.draw(bodies(route)), data.draw(HEADERS)

    answer = gateway.request("POST", ROUTES[route], raw=body, key=world.key, headers=headers)

    books.check(route, answer)
    books.verify()
