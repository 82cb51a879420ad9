"""Chat requests become Anthropic requests that mean the same, or a 400 that names the field."""

import base64
from typing import Any

import pytest

from gateway.adapters.anthropic import AnthropicChat
from gateway.proxy.errors import Rejected

PICTURE = "iVBORw0KGgo="
HELLO = {"role": "user", "content": "Hello"}
TURN = {"role": "user", "content": [{"type": "text", "text": "Hello"}]}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
OFFERED = {"name": "weather", "input_schema": {"type": "object"}}
GREETING = base64.b64encode("Grüße".encode()).decode()


def translated(**fields: Any) -> dict[str, Any]:
    chat = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [HELLO], **fields}
    return AnthropicChat().request(chat)


def refused(**fields: Any) -> Rejected:
    with pytest.raises(Rejected) as refusal:
        translated(**fields)
    assert refusal.value.status == 400
    assert refusal.value.message.startswith(f"{refusal.value.param}: ")
    return refusal.value


def test_the_smallest_request() -> None:
    assert translated() == {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [TURN]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_completion_tokens": 7}, {"max_tokens": 7}),
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"temperature": 1}, {"temperature": 1}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"top_k": 40}, {"top_k": 40}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["END", "\n\nHuman:"]}, {"stop_sequences": ["END", "\n\nHuman:"]}),
        ({"stop": []}, {}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
        ({"stream": False}, {}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"response_format": {"type": "text"}}, {}),
        ({"thinking": {"type": "adaptive"}}, {"thinking": {"type": "adaptive"}}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        (
            {"reasoning_effort": "minimal"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        ),
        (
            {"reasoning_effort": "xhigh"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}},
                }
            },
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        ),
    ],
)
def test_a_field_that_can_be_said(given: dict[str, Any], said: dict[str, Any]) -> None:
    assert translated(**given) == translated() | said


def test_a_thinking_budget_below_max_tokens_is_sent() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert translated(max_tokens=1025, thinking=thinking)["thinking"] == thinking


@pytest.mark.parametrize("name", ["user", "safety_identifier"])
def test_the_end_user_goes_as_a_digest(name: str) -> None:
    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    assert translated(**{name: "foo"})["metadata"] == {"user_id": digest}


@pytest.mark.parametrize(
    "harmless",
    [
        *({"seed": 7}, {"store": True}, {"metadata": {"project": "x"}}, {"n": 1}),
        *({"logprobs": False}, {"top_logprobs": 0}, {"logit_bias": {}}, {"modalities": ["text"]}),
        *({"frequency_penalty": 0}, {"presence_penalty": 0.0}, {"verbosity": "medium"}),
        *({"prompt_cache_key": "k"}, {"prompt_cache_retention": "24h"}, {"audio": None}),
        *({"tools": []}, {"tools": None, "tool_choice": "auto"}, {"parallel_tool_calls": False}),
        {"something_unknown": None},
    ],
)
def test_a_field_that_asks_for_nothing_is_left_out(harmless: dict[str, Any]) -> None:
    assert translated(**harmless) == translated()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("n", 2), ("logprobs", True), ("top_logprobs", 3), ("logit_bias", {"50256": -100})),
        *(("frequency_penalty", 0.5), ("presence_penalty", -1), ("verbosity", "low")),
        *(("modalities", ["text", "audio"]), ("audio", {"voice": "alloy"})),
        *(("prediction", {"type": "content", "content": "x"}), ("web_search_options", {})),
        *(("speed", "fast"), ("inference_geo", "us"), ("mcp_servers", []), ("container", "c")),
        *(("n_predict", 5), ("service_tier", "priority"), ("stop", " \n"), ("stop", ["a", ""])),
        *(("tool_choice", {"type": "allowed_tools"}), ("function_call", 7)),
    ],
)
def test_a_wish_that_cannot_be_said_is_refused_by_name(field: str, value: Any) -> None:
    refusal = refused(**{field: value})
    assert (refusal.code, refusal.param) == ("unsupported_field", field)


def test_json_without_a_schema_is_refused_by_name() -> None:
    refusal = refused(response_format={"type": "json_object"})
    assert (refusal.code, refusal.param) == ("unsupported_field", "response_format.type")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"temperature": 1.01}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": "0.5"}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"stop": 7}, "stop"),
        ({"stop": ["a", 7]}, "stop"),
        ({"user": 7}, "user"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning_effort": []}, "reasoning_effort"),
        ({"thinking": {"type": "between"}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1023}}, "thinking.budget_tokens"),
        (
            {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 2000}},
            "thinking.budget_tokens",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            "response_format.json_schema.schema",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": "weather"}, "tools"),
        ({"tools": [7]}, "tools.0"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0.function.name"),
        ({"tools": [WEATHER], "functions": [{"name": "f"}]}, "functions"),
        (
            {"functions": [{"name": "f", "parameters": []}]},
            "functions.0.parameters",
        ),
        ({"functions": [{"name": "f", "description": 7}]}, "functions.0.description"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(given: dict[str, Any], field: str) -> None:
    refusal = refused(**given)
    assert (refusal.code, refusal.param) == ("invalid_request", field)


def test_tools_keep_name_description_schema_and_strictness() -> None:
    schema = {"properties": {"city": {"type": "string"}}, "required": ["city"]}
    function = {"name": "weather", "description": "Now", "parameters": schema, "strict": True}
    assert translated(tools=[{"type": "function", "function": function}])["tools"] == [
        {
            "name": "weather",
            "description": "Now",
            "input_schema": {"type": "object", **schema},
            "strict": True,
        }
    ]


def test_functions_without_parameters_take_an_empty_object() -> None:
    assert translated(functions=[{"name": "now"}])["tools"] == [
        {"name": "now", "input_schema": {"type": "object", "properties": {}}}
    ]


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "code_execution_20250825", "name": "code_execution"},
        {"type": "custom", "custom": {"name": "f"}},
        {"name": "weather", "input_schema": {"type": "object"}},
    ],
)
def test_tools_that_are_no_functions_are_refused(tool: dict[str, Any]) -> None:
    refusal = refused(tools=[WEATHER, tool])
    assert (refusal.code, refusal.param) == ("unsupported_field", "tools.1.type")


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"function_call": {"name": "weather"}}, {"type": "tool", "name": "weather"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {"type": "tool", "name": "weather"},
        ),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
        (
            {"parallel_tool_calls": False, "tool_choice": "required"},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"parallel_tool_calls": True}, None),
    ],
)
def test_the_choice_of_tools(given: dict[str, Any], choice: dict[str, Any] | None) -> None:
    body = translated(tools=[WEATHER], **given)
    assert body["tools"] == [OFFERED]
    assert body.get("tool_choice") == choice


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ({"type": "text", "text": "Hi"}, {"type": "text", "text": "Hi"}),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": PICTURE},
            },
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}},
            {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
        ),
        (
            {
                "type": "file",
                "file": {
                    "filename": "a.txt",
                    "file_data": f"data:text/plain;charset=utf-8;base64,{GREETING}",
                },
            },
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
                "title": "a.txt",
            },
        ),
        (
            {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ),
    ],
)
def test_a_part_of_the_users_content(part: dict[str, Any], block: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": [part]}]
    assert translated(messages=messages)["messages"] == [{"role": "user", "content": [block]}]


PDF = "data:application/pdf;base64,JVBERi0="


@pytest.mark.parametrize(
    ("part", "field", "code"),
    [
        ({"type": "input_audio", "input_audio": {}}, "type", "unsupported_field"),
        ({"type": "file", "file": {"file_data": PDF}}, "file.file_data", "unsupported_field"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "file.file_id", "unsupported_field"),
        ({"type": "file", "file": 7}, "file", "invalid_request"),
        (
            {"type": "file", "file": {"file_data": "data:text/plain;base64,_"}},
            "file.file_data",
            "invalid_request",
        ),
        ({"type": "image_url", "image_url": "ftp://x"}, "image_url.url", "invalid_request"),
        ({"type": "image_url"}, "image_url.url", "invalid_request"),
        (
            {"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AAAA"}},
            "image_url.url",
            "unsupported_field",
        ),
        ({"type": "text"}, "text", "invalid_request"),
        ({"type": ["text"]}, "type", "unsupported_field"),
        (
            {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1y"}},
            "cache_control.ttl",
            "invalid_request",
        ),
        ({"type": "text", "text": "x", "cache_control": 1}, "cache_control", "invalid_request"),
    ],
)
def test_a_part_that_cannot_be_sent_is_refused_by_name(
    part: dict[str, Any], field: str, code: str
) -> None:
    refusal = refused(messages=[HELLO, {"role": "user", "content": [part]}])
    assert (refusal.param, refusal.code) == (f"messages.1.content.0.{field}", code)
