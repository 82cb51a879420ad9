"""False refusals: `python -m bench.gateway.refusals` counts them on a wallet that can pay for all.

A wallet of one dollar, a model whose answers cost 0.00114 USD (877 of them fit) and whose worst
case is 0.041 USD (24 fit), an upstream that takes 200 ms: 200 calls without ``max_tokens``, 50 at a
time. Whoever is refused is refused although the money is there. One wallet for the plain calls, one
for the streams.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import django
from aiohttp import web

from bench import database, machine
from bench.gateway.processes import output_of
from bench.gateway.sites import SETTINGS, Site, gateway, keys

CALLS, AT_ONCE, UPSTREAM_SECONDS = 200, 50, 0.2
MODEL = "gpt-4o"
USAGE = {"prompt_tokens": 16, "completion_tokens": 110, "total_tokens": 126}
MESSAGES = [{"role": "user", "content": "Write a short haiku."}]


def prepare() -> dict[str, Any]:
    """An organisation with two teams that have a dollar each and may draw on nothing else."""
    from bench.world import build
    from keeptrusts.lib import ids
    from wallets.ledger import Leg, Ref, Transfer, post_one
    from wallets.models import Team, Wallet

    world = build(teams=2)
    teams = Team.objects.filter(organization=world.organization_id).order_by("id")
    for wallet in Wallet.objects.filter(team__in=teams).select_related("parent"):
        Wallet.objects.filter(pk=wallet.pk).update(draws_on_parent=False)
        own = Ref(id=wallet.pk, rank=wallet.rank)
        above = Ref(id=wallet.parent.pk, rank=wallet.parent.rank)
        surplus = wallet.available - 1_000_000_000
        post_one(
            Transfer(
                organization_id=world.organization_id,
                id=ids.uuid7(),
                legs=(
                    Leg(source=own, target=above, amount=surplus)
                    if surplus > 0
                    else Leg(source=above, target=own, amount=-surplus),
                ),
                reason="reclaim" if surplus > 0 else "allocation",
            )
        )
    return {"organization": "bench", "teams": [f"team_{team.slug}" for team in teams]}


async def _upstream() -> tuple[web.AppRunner, int]:
    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        await asyncio.sleep(UPSTREAM_SECONDS)
        frame = {"id": "chatcmpl-bench", "created": 1_750_000_000, "model": MODEL}
        if not body.get("stream"):
            message = {"role": "assistant", "content": "Clouds drift by"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return web.json_response(
                frame | {"object": "chat.completion", "choices": [choice], "usage": USAGE}
            )
        frame["object"] = "chat.completion.chunk"
        delta = {"index": 0, "delta": {"content": "Clouds drift by"}, "finish_reason": "stop"}
        parts = [frame | {"choices": [delta]}, frame | {"choices": [], "usage": USAGE}]
        text = "".join(f"data: {json.dumps(part)}\n\n" for part in parts) + "data: [DONE]\n\n"
        return web.Response(text=text, headers={"content-type": "text/event-stream"})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    return runner, site._server.sockets[0].getsockname()[1]


async def _ask(port: int, key: str, *, stream: bool) -> tuple[Counter[int], float]:
    places, began = asyncio.Semaphore(AT_ONCE), time.perf_counter()
    async with aiohttp.ClientSession() as session:

        async def ask() -> int:
            body = {"model": MODEL, "messages": MESSAGES, "stream": stream}
            async with (
                places,
                session.post(
                    f"http://127.0.0.1:{port}/v1/chat/completions",
                    json=body,
                    headers={"x-consumer-group": key},
                ) as answer,
            ):
                await answer.read()
                return answer.status

        statuses = Counter(await asyncio.gather(*(ask() for _ in range(CALLS))))
    return statuses, time.perf_counter() - began


async def _measure(stack: ExitStack) -> bool:
    url = stack.enter_context(database.scratch(stack.enter_context(database.server())))
    place = Path(stack.enter_context(TemporaryDirectory(prefix="keeptrusts-bench-")))
    environment = SETTINGS | {"DATABASE_URL": url, "KEEPTRUSTS_DATA": str(place)}
    teams = json.loads(output_of("bench.gateway.refusals", "prepare", **environment))["teams"]
    runner, upstream = await _upstream()
    site = Site(url, place, None, upstream, teams, 0.0)  # type: ignore[arg-type]
    served = await asyncio.to_thread(stack.enter_context, gateway(site, "mixed", 1))
    print(f"| {CALLS} calls, {AT_ONCE} at a time | passed | refused | seconds |")
    print("|---|---|---|---|")
    good = True
    for key, stream in zip(keys(2), (False, True), strict=True):
        statuses, seconds = await _ask(served.port, key, stream=stream)
        refused = CALLS - statuses[200]
        print(
            f"| {'streams' if stream else 'plain'} | {statuses[200]} | {refused} | {seconds:.1f} |"
        )
        good = good and not refused
    await runner.cleanup()
    return good


def main() -> int:
    """1 when anybody was refused who could pay."""
    if sys.argv[1:] == ["prepare"]:
        django.setup()
        print(json.dumps(prepare()))
        return 0
    print(machine.description())
    with ExitStack() as stack:
        return 0 if asyncio.run(_measure(stack)) else 1


if __name__ == "__main__":
    sys.exit(main())
