"""Extras of a request that cost more than text."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway import tokens
from gateway.tokens import features


@pytest.mark.parametrize(
    ("request_body", "named"),
    [
        ({"tools": [{"type": "function"}], "service_tier": "auto"}, ()),
        ({"tools": [{"type": "web_search_preview"}]}, ("tool:web_search_preview",)),
        ({"web_search_options": {}}, ("web_search",)),
        ({"model": "gpt-4o-search-preview"}, ("web_search",)),
        ({"background": True}, ("background",)),
        ({"background": False}, ()),
        ({"service_tier": "priority"}, ("service_tier",)),
        ({"modalities": ["text"]}, ()),
        ({"modalities": ["text", "audio"], "audio": {"voice": "x"}}, ("audio",)),
        ({"messages": [{"content": [{"type": "input_audio"}]}]}, ("audio",)),
        ({"modalities": ["image"], "plugins": [{}]}, ("image_output", "plugins")),
        ({"tools": 5, "messages": 5, "modalities": 5}, ()),
    ],
)
def test_names_what_is_billed_apart(request_body: dict[str, Any], named: tuple[str]) -> None:
    assert tokens.billable_features(request_body) == named


@pytest.mark.parametrize(
    "find",
    [tokens.billable_features, features.features_of_responses, features.features_of_messages],
    ids=["chat", "responses", "messages"],
)
def test_tools_inside_of_tools_are_named_too(find: Callable[..., tuple[str, ...]]) -> None:
    inner = {"type": "namespace", "tools": [{"type": "mcp"}, {"type": "function"}]}
    outer = {"type": "namespace", "tools": [{"type": "web_search"}, inner]}

    found = set(find({"tools": [outer]})) - {"tool:namespace"}

    assert found == {"tool:mcp", "tool:web_search"}


def test_estimate_says_whether_there_is_audio() -> None:
    request = {"messages": [{"role": "user", "content": "hi"}], "modalities": ["audio"]}
    assert tokens.estimate(request, "gpt-4o", default_max_output_tokens=1).audio
    assert not tokens.estimate(
        {"messages": request["messages"]}, "gpt-4o", default_max_output_tokens=1
    ).audio


def test_completion_text_is_counted() -> None:
    assert tokens.count_text("gpt-4o-mini", "hello world") == 2
    assert tokens.count_text("some-model", "") == 0
