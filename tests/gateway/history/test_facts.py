"""Facts of requests and answers of every route."""

from typing import Any

import pytest

from gateway.history import facts


@pytest.mark.parametrize(
    ("request_body", "messages", "characters", "tools"),
    [
        ({"prompt": "abc"}, {"prompt": 1}, 3, []),
        ({"prompt": ["abc", "d"]}, {"prompt": 2}, 4, []),
        ({"input": "abc", "instructions": "de"}, {"instructions": 1, "user": 1}, 5, []),
        ({"input": [1, 2, 3]}, {"user": 1}, 0, []),
        (
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "abc"}]},
                    {"type": "function_call", "name": "f", "arguments": "{}"},
                ],
                "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
            },
            {"user": 1, "function_call": 1},
            6,
            ["f", "web_search"],
        ),
        (
            {
                "system": [{"type": "text", "text": "ab"}],
                "messages": [
                    {"role": "user", "content": "c"},
                    {"role": "made up by somebody", "content": "d"},
                ],
                "tools": [{"name": "look", "input_schema": {}}],
            },
            {"system": 1, "user": 1, "other": 1},
            4,
            ["look"],
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image_url", "image_url": {"url": "data:image/png;base64,A"}}
                        ],
                    }
                ]
            },
            {"user": 1},
            0,
            [],
        ),
    ],
)
def test_requests_are_counted(
    request_body: dict[str, Any], messages: dict[str, int], characters: int, tools: list[str]
) -> None:
    assert facts.of_request(request_body) == {
        "messages": messages,
        "characters": characters,
        "tools": tools,
    }


@pytest.mark.parametrize(
    ("answer", "reasons", "tools"),
    [
        (
            {
                "choices": [
                    {
                        "finish_reason": "tool_calls",
                        "message": {"tool_calls": [{"function": {"name": "f"}}] * 2},
                    }
                ]
            },
            ["tool_calls"],
            ["f"],
        ),
        (
            {"status": "completed", "output": [{"type": "function_call", "name": "g"}]},
            ["completed"],
            ["g"],
        ),
        (
            {
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
                "output": [],
            },
            ["max_output_tokens"],
            [],
        ),
        (
            {"stop_reason": "tool_use", "content": [{"type": "tool_use", "name": "h"}]},
            ["tool_use"],
            ["h"],
        ),
    ],
)
def test_answers_are_described(
    answer: dict[str, Any], reasons: list[str], tools: list[str]
) -> None:
    assert facts.of_answer({"id": "resp_1", **answer}, "four") == {
        "id": "resp_1",
        "characters": 4,
        "finish_reasons": reasons,
        "tools": tools,
    }


def test_names_are_few() -> None:
    tools = [{"name": f"tool{number}"} for number in range(80)]
    assert len(facts.of_request({"tools": tools})["tools"]) == 50
