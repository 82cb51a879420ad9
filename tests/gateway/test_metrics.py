"""What ``/metrics`` says after what happened."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway, chat, eventually
from tests.gateway.waiting.crowds import MODEL, poor_team, usage_that_costs
from wallets.models import Wallet

pytestmark = pytest.mark.django_db(transaction=True)

CHAT = "/v1/chat/completions"
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 25}
_FOUND = ("hit", "miss", "bypass")


@pytest.fixture
def gateway(serve: Serve) -> RunningGateway:
    return serve()


def sample(gateway: RunningGateway, name: str) -> float:
    """A sample by its name with labels; 0 where there is none yet."""
    answer = gateway.request("GET", "/metrics")
    assert answer.status == 200
    found = re.search(rf"^{re.escape(name)} (\S+)$", answer.raw.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.fixture
def value(gateway: RunningGateway) -> Callable[[str], float]:
    """Samples of the gateway."""
    return partial(sample, gateway)


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


def test_a_refusal_of_the_ledger_is_counted_as_the_refusal_it_is(
    world: World, serve: Serve
) -> None:
    poor_team(world, 0)
    gateway = serve()
    labels = f'route="{CHAT}",verdict="block"'
    refused = f'keeptrusts_requests_total{{code="insufficient_balance",{labels}}}'
    failed = f'keeptrusts_requests_total{{code="500",route="{CHAT}",verdict="error"}}'
    before = sample(gateway, refused), sample(gateway, failed)
    assert gateway.chat(world.key, model=MODEL).status == 402
    eventually(lambda: sample(gateway, refused) == before[0] + 1)
    assert sample(gateway, failed) == before[1]


@pytest.mark.parametrize("balance", [0, 1_000_000], ids=["nothing", "a little"])
def test_what_warned_requests_leave_unpaid_is_counted_to_the_nano_dollar(
    world: World, serve: Serve, balance: int
) -> None:
    poor_team(world, balance)
    usage, cost = usage_that_costs(16, 110)
    world.upstream.behave(usage=usage)
    gateway = serve(cost_tracking={"on_exhausted": "warn"})
    name = "keeptrusts_written_off_nanodollars_total"
    before = sample(gateway, name)
    assert gateway.chat(world.key, model=MODEL).status == 200
    eventually(lambda: sample(gateway, name) == before + cost - balance)
    assert world.event().written_off == cost - balance


def test_lookups_of_the_cache_are_counted_by_what_they_found(world: World, serve: Serve) -> None:
    """Whoever gets the answer another call was waiting for has hit, too."""
    gateway = serve(cache={"enabled": True})
    names = {found: f'keeptrusts_cache_total{{result="{found}"}}' for found in _FOUND}
    before = {found: sample(gateway, name) for found, name in names.items()}
    gate = Gate()
    world.upstream.behave(gate=gate)
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(gateway.chat, world.key) for _ in range(2)]
        eventually(lambda: len(gateway.application.running) == 2 and gate.reached.is_set())
        gate.open()
        assert [one.result().status for one in asked] == [200, 200]
    gateway.chat(world.key)
    gateway.request("POST", CHAT, body=chat(), key=world.key, headers={"cache-control": "no-cache"})
    counted = {"miss": 1, "hit": 2, "bypass": 1}
    eventually(
        lambda: (
            {found: sample(gateway, names[found]) - before[found] for found in _FOUND} == counted
        )
    )


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
