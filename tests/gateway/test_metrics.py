"""What ``/metrics`` says after what happened."""

import re
import threading
from collections.abc import Callable

import pytest

from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway, eventually
from wallets.models import Wallet

pytestmark = pytest.mark.django_db(transaction=True)

CHAT = "/v1/chat/completions"
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 25}


@pytest.fixture
def gateway(serve: Serve) -> RunningGateway:
    return serve()


@pytest.fixture
def value(gateway: RunningGateway) -> Callable[[str], float]:
    """A sample by its name with labels; 0 where there is none yet."""

    def read(sample: str) -> float:
        answer = gateway.request("GET", "/metrics")
        assert answer.status == 200
        found = re.search(rf"^{re.escape(sample)} (\S+)$", answer.raw.decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    return read


def test_requests_are_counted_by_route_verdict_and_code(
    world: World, gateway: RunningGateway, value: Callable[[str], float]
) -> None:
    paid = f'keeptrusts_requests_total{{code="200",route="{CHAT}",verdict="allow"}}'
    refused = f'keeptrusts_requests_total{{code="model_not_priced",route="{CHAT}",verdict="block"}}'
    before = value(paid), value(refused)
    gateway.request("POST", CHAT, body=ASK, key=world.key)
    gateway.request("POST", CHAT, body=ASK | {"model": "nobody-knows"}, key=world.key)
    eventually(lambda: value(refused) == before[1] + 1)
    assert value(paid) == before[0] + 1


def test_money_is_counted_to_the_nano_dollar(
    world: World, gateway: RunningGateway, value: Callable[[str], float]
) -> None:
    before = value("keeptrusts_cost_nanodollars_total")
    spent = Wallet.objects.get(pk=world.wallet.pk).total_spent
    gateway.request("POST", CHAT, body=ASK, key=world.key)
    charged = Wallet.objects.get(pk=world.wallet.pk).total_spent - spent
    assert charged > 0
    eventually(lambda: value("keeptrusts_cost_nanodollars_total") == before + charged)


def test_an_open_hold_and_a_running_request_show(
    world: World, gateway: RunningGateway, value: Callable[[str], float]
) -> None:
    gate = Gate()
    world.upstream.behave(gate=gate)
    asking = threading.Thread(target=gateway.chat, args=(world.key,))
    asking.start()
    eventually(gate.reached.is_set)
    assert value("keeptrusts_open_holds") == 1
    assert value("keeptrusts_requests_running") == 1
    assert value("keeptrusts_oldest_hold_seconds") > 0
    gate.open()
    asking.join()
    eventually(lambda: value("keeptrusts_open_holds") == 0)


def test_histograms_have_seen_the_request(
    world: World, gateway: RunningGateway, value: Callable[[str], float]
) -> None:
    names = [
        f'keeptrusts_added_seconds_count{{route="{CHAT}"}}',
        'keeptrusts_upstream_seconds_count{target="openai"}',
        f'keeptrusts_first_byte_seconds_count{{route="{CHAT}"}}',
    ]
    before = [value(name) for name in names]
    gateway.request("POST", CHAT, body=ASK, key=world.key)
    eventually(lambda: [value(name) for name in names] == [count + 1 for count in before])


def test_batches_of_the_ledger_show(
    world: World, gateway: RunningGateway, value: Callable[[str], float]
) -> None:
    before = value("keeptrusts_ledger_batch_size_sum")
    gateway.request("POST", CHAT, body=ASK, key=world.key)
    # One reserve and one settle.
    eventually(lambda: value("keeptrusts_ledger_batch_size_sum") >= before + 2)


def test_metrics_tell_no_secret(
    world: World, gateway: RunningGateway, value: Callable[[str], float]
) -> None:
    gateway.request("POST", CHAT, body=ASK, key=world.key)
    assert world.key.encode() not in gateway.request("GET", "/metrics").raw


def test_metrics_are_read_only(gateway: RunningGateway) -> None:
    assert gateway.request("POST", "/metrics", body={}).status == 405


def test_a_gateway_that_can_serve_is_ready(value: Callable[[str], float]) -> None:
    assert value("keeptrusts_ready") == 1
