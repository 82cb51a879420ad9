"""A real model on this machine behind the gateway, asked by the clients of OpenAI and Anthropic."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from anthropic import Anthropic
from openai import OpenAI

from gateway.models import DecisionEvent
from gateway.pricing import set_price
from keeptrusts.model_server.weights import MODEL_NAME
from keeptrusts.supervisor import ports
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway

pytestmark = [pytest.mark.django_db(transaction=True)]

START = "from keeptrusts.model_server.serve import serve; serve(port={})"


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    """The address of the local model's server."""
    port = ports.unused("127.0.0.1")
    server = subprocess.Popen(
        [sys.executable, "-c", START.format(port)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        assert "Model ready" in server.stdout.readline()
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


@pytest.fixture
def gateway(world: World, serve: Serve, model_url: str) -> RunningGateway:
    set_price(
        provider="local",
        model=MODEL_NAME,
        input_cost_per_1k_tokens="0.001",
        output_cost_per_1k_tokens="0.002",
        created_by="usr_1",
    )
    return serve(target={"id": "local", "provider": "local", "base_url": model_url})


def _costs_what_it_reports(world: World, prompt: int, completion: int) -> None:
    event = DecisionEvent.objects.get()
    assert event.cost == prompt * 1_000 + completion * 2_000
    assert (event.prompt_tokens, event.completion_tokens) == (prompt, completion)
    assert event.cost <= event.hold
    assert event.flags == []
    assert world.wallet.total_spent == event.cost


def test_a_completion_of_the_local_model(world: World, gateway: RunningGateway) -> None:
    with OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        answer = client.completions.create(model=MODEL_NAME, prompt="Clouds are", max_tokens=3)

    assert answer.usage is not None
    _costs_what_it_reports(world, answer.usage.prompt_tokens, answer.usage.completion_tokens)


def test_a_response_of_the_local_model(world: World, gateway: RunningGateway) -> None:
    with (
        OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client,
        client.responses.create(
            model=MODEL_NAME, input="Say hi", max_output_tokens=3, stream=True
        ) as stream,
    ):
        last = list(stream)[-1]

    assert last.type == "response.completed"
    assert last.response.usage is not None
    usage = last.response.usage
    _costs_what_it_reports(world, usage.input_tokens, usage.output_tokens)


def test_a_message_of_the_local_model(world: World, gateway: RunningGateway) -> None:
    with (
        Anthropic(api_key=world.key, base_url=gateway.url, max_retries=0) as client,
        client.messages.stream(
            model=MODEL_NAME, max_tokens=3, messages=[{"role": "user", "content": "Say hi"}]
        ) as stream,
    ):
        message = stream.get_final_message()

    assert message.content[0].type == "text"
    _costs_what_it_reports(world, message.usage.input_tokens, message.usage.output_tokens)
