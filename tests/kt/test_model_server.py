"""The local model and its stand-in speak the OpenAI API, plain and streaming."""

import json
import signal
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import NotFoundError, OpenAI

from keeptrusts.supervisor import ports
from tests.kt.processes import Running, kt, running

NAME = "gpt-4o-mini"


@contextmanager
def model(folder: Path, *options: str) -> Iterator[tuple[Running, str]]:
    port = ports.unused()
    command = ("model", "serve", "--port", str(port), "--alias", NAME, *options)
    with running(sys.executable, "-m", "keeptrusts.kt", *command, cwd=folder) as server:
        server.until_says("Model ready: ")
        yield server, f"http://127.0.0.1:{port}/v1"


@pytest.fixture(scope="module")
def real_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the real model, loaded once for the tests that only ask it."""
    with model(tmp_path_factory.mktemp("model")) as (_, url):
        yield url


@pytest.fixture
def echo_model(tmp_path: Path) -> Iterator[str]:
    """The URL of the echo model."""
    with model(tmp_path, "--echo") as (_, url):
        yield url


def post(url: str, body: dict[str, Any]) -> str:
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=120) as answer:
        return str(answer.read().decode())


def chunks(text: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


BODY = {"model": NAME, "max_tokens": 8, "messages": [{"role": "user", "content": "Say hello."}]}
STREAM = {**BODY, "stream": True, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize("server", ["real_model", "echo_model"])
def test_answers_plain_and_streaming_with_usage(
    server: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server)
    with urllib.request.urlopen(f"{url}/models", timeout=60) as answer:
        assert [entry["id"] for entry in json.load(answer)["data"]] == [NAME]
    plain = json.loads(post(url, BODY))
    streamed = chunks(post(url, STREAM))
    assert plain["model"] == NAME
    assert plain["choices"][0]["message"]["content"]
    usage = plain["usage"]
    assert 0 < usage["completion_tokens"] <= 8
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    deltas = [chunk["choices"][0]["delta"] for chunk in streamed if chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas)
    assert streamed[-1]["usage"]["prompt_tokens"] == usage["prompt_tokens"]


def test_the_sdk_reads_streamed_responses_of_the_real_model(real_model: str) -> None:
    with (
        OpenAI(api_key="none", base_url=real_model, max_retries=0) as client,
        client.responses.stream(model=NAME, input="Say hello.", max_output_tokens=8) as stream,
    ):
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert "".join(event.delta for event in deltas) == final.output_text
    assert {(event.output_index, event.content_index) for event in deltas} == {(0, 0)}
    assert final.usage is not None
    assert 0 < final.usage.output_tokens <= 8


@pytest.mark.parametrize("server", ["real_model", "echo_model"])
def test_embeddings_are_refused_in_the_shape_of_the_api(
    server: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server)
    with (
        OpenAI(api_key="none", base_url=url, max_retries=0) as client,
        pytest.raises(NotFoundError) as refused,
    ):
        client.embeddings.create(model=NAME, input="hello")
    assert refused.value.code == "embeddings_not_supported"


def test_equal_requests_report_equal_usage(real_model: str) -> None:
    first, second = (json.loads(post(real_model, BODY))["usage"] for _ in range(2))
    assert second["prompt_tokens_details"] == first["prompt_tokens_details"]
    assert second["prompt_tokens"] == first["prompt_tokens"]


def test_the_echo_model_says_what_it_is(tmp_path: Path) -> None:
    with model(tmp_path, "--echo") as (server, url):
        answer = json.loads(post(url, {**BODY, "max_tokens": 100}))
        assert server.text().startswith(f"Model ready: echo model as {NAME} http://127.0.0.1:")
    content = answer["choices"][0]["message"]["content"]
    assert content == "[echo model, not a language model] Say hello."


def test_the_echo_model_refuses_what_is_no_chat(echo_model: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(echo_model, {"messages": 7})
    with refused.value as error:
        assert error.code == 400
        assert json.load(error)["error"]["code"] == "invalid_messages"


@pytest.mark.parametrize(
    ("options", "number"),
    [((), signal.SIGTERM), (("--echo",), signal.SIGTERM), (("--echo",), signal.SIGINT)],
    ids=["smollm2-term", "echo-term", "echo-int"],
)
def test_ends_cleanly_when_told(tmp_path: Path, options: tuple[str, ...], number: int) -> None:
    with model(tmp_path, *options) as (server, _):
        assert server.stop(number) == 0


def test_taken_port_is_one_line(tmp_path: Path) -> None:
    with ports.listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        outcome = kt("model", "serve", "--port", str(port), cwd=tmp_path)
    assert outcome.returncode == 1
    assert outcome.stderr == f"kt: port {port} on 127.0.0.1 is taken by another program\n"
