"""Extras of a request that cost more than text."""

from typing import Any

import pytest

from gateway import tokens


@pytest.mark.parametrize(
    ("request_body", "features"),
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
def test_names_what_is_billed_apart(request_body: dict[str, Any], features: tuple[str]) -> None:
    assert tokens.billable_features(request_body) == features


def test_estimate_says_whether_there_is_audio() -> None:
    request = {"messages": [{"role": "user", "content": "hi"}], "modalities": ["audio"]}
    assert tokens.estimate(request, "gpt-4o", default_max_output_tokens=1).audio
    assert not tokens.estimate(
        {"messages": request["messages"]}, "gpt-4o", default_max_output_tokens=1
    ).audio


def test_completion_text_is_counted() -> None:
    assert tokens.count_text("gpt-4o-mini", "hello world") == 2
    assert tokens.count_text("some-model", "") == 0
