"""``kill -9`` of a gateway whose request waits: nobody waits behind it longer than its lease."""

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import orjson
import pytest
import yaml

from keeptrusts.lib import money
from keeptrusts.supervisor import ports
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import chat, eventually
from tests.gateway.test_killed import _database_url
from tests.gateway.waiting.crowds import MODEL, poor_team, worst_case
from tests.kt.processes import Running, environment, running
from wallets import waiting
from wallets.models import Waiter

pytestmark = [
    pytest.mark.engines,
    pytest.mark.slow,
    pytest.mark.postgres_only,
    pytest.mark.django_db(transaction=True),
]

HOLD = {"on_exhausted": "hold", "hold_timeout_seconds": 60.0}


def _process(world: World, folder: Path, port: int) -> AbstractContextManager[Running]:
    (folder / "policy-config.yaml").write_text(yaml.safe_dump(world.policy(cost_tracking=HOLD)))
    (folder / "data").mkdir(exist_ok=True)
    return running(
        *(sys.executable, "-m", "keeptrusts.kt", "gateway", "run", "--port", str(port)),
        cwd=folder,
        env=environment(DATABASE_URL=_database_url(), KEEPTRUSTS_DATA=str(folder / "data")),
    )


def _ask(port: int, key: str) -> None:
    client = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        client.request(
            "POST", "/v1/chat/completions", orjson.dumps(chat(model=MODEL)),
            {"x-consumer-group": key},
        )  # fmt: skip
        client.getresponse()
    except (HTTPException, OSError):
        return
    finally:
        client.close()


def test_the_next_one_goes_on_when_the_lease_is_over(
    world: World, serve: Serve, tmp_path: Path
) -> None:
    poor_team(world, 0)
    port = ports.unused()
    folder = tmp_path / "killed"
    folder.mkdir()
    with ThreadPoolExecutor() as threads, _process(world, folder, port) as killed:
        killed.until_says("Gateway ready")
        first = threads.submit(_ask, port, world.key)
        eventually(lambda: Waiter.objects.count() == 1, what="it waits")
        os.kill(killed.pid, signal.SIGKILL)
        killed.process.wait(30)
        first.result()

    factories.fund(world.wallet, money.dollars(worst_case(world)))
    began = time.monotonic()
    answer = serve(cost_tracking=HOLD).chat(world.key, model=MODEL)

    assert answer.status == 200
    assert time.monotonic() - began < waiting.LEASE.total_seconds() + 3.0
