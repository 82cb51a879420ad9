"""The clients: `python -m bench.gateway.load PLAN` keeps every connection busy, prints JSON.

A closed loop: each connection sends its next request when the answer to the last one is complete.
"""

import asyncio
import json
import sys
import time
from array import array
from dataclasses import dataclass, field
from functools import partial

import uvloop

from bench.figures import percentile

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """Load on ``port`` by ``connections`` clients for ``seconds``, after ``warm_up`` seconds."""

    port: int
    connections: int
    seconds: float
    warm_up: float
    keys: list[str]
    stream: bool = False

    def request(self, client: int) -> bytes:
        """The bytes a client sends, time and again, under its key."""
        body = (
            b'{"model":"gpt-4o-mini","max_tokens":25,%s"messages":[{"role":"user","content":'
            b'"Which of the numbers in this ledger is the one to look at first?"}]}'
        ) % (b'"stream":true,' if self.stream else b"")
        return (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nx-consumer-group: %s\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
        ) % (self.keys[client % len(self.keys)].encode(), len(body), body)


@dataclass
class Tally:
    """What came back. Times in seconds, only of answers inside the measured time."""

    begins: float = 0.0
    ends: float = 0.0
    latencies: array = field(default_factory=lambda: array("d"))
    first_bytes: array = field(default_factory=lambda: array("d"))
    answered: int = 0
    refused: list[str] = field(default_factory=list)

    def note(self, sent: float, first: float, head: bytes) -> None:
        """One complete answer."""
        now = time.perf_counter()
        if head[9:12] != b"200":
            self.refused.append(head[:60].decode("latin-1"))
            return
        self.answered += 1
        if self.begins <= now <= self.ends:
            self.latencies.append(now - sent)
            self.first_bytes.append(first - sent)


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request, self._tally = request, tally
        self._data, self._first = b"", 0.0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Look whether the answer is complete."""
        data = self._data = self._data + data if self._data else data
        end = data.find(b"\r\n\r\n")
        if end < 0 or len(data) == end + 4:
            return
        if not self._first:
            self._first = time.perf_counter()
        if _complete(data, end):
            self._tally.note(self._sent, self._first, data)
            self._data, self._first = b"", 0.0
            if time.perf_counter() < self._tally.ends:
                self._send()
            else:
                self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """The end, or a gateway that hung up."""
        if time.perf_counter() < self._tally.ends:
            self._tally.refused.append(f"connection lost: {error}")
        if not self.finished.done():
            self.finished.set_result(None)


def _complete(data: bytes, end: int) -> bool:
    head = data[:end].lower()
    _, found, rest = head.partition(b"content-length:")
    if found:
        return len(data) >= end + 4 + int(rest.split(b"\r\n", 1)[0])
    return data.endswith(b"\r\n0\r\n\r\n")


async def run(plan: Plan) -> Tally:
    """Everything; raises TimeoutError when answers do not come."""
    tally, loop = Tally(), asyncio.get_running_loop()
    tally.begins = time.perf_counter() + plan.warm_up
    tally.ends = tally.begins + plan.seconds
    clients = []
    for n in range(plan.connections):
        _, client = await loop.create_connection(
            partial(Client, plan.request(n), tally), "127.0.0.1", plan.port
        )
        clients.append(client.finished)
    await asyncio.wait_for(asyncio.gather(*clients), plan.warm_up + plan.seconds + PATIENCE_SECONDS)
    return tally


def main() -> None:
    """Measure once; latencies in milliseconds."""
    plan = Plan(**json.loads(sys.argv[1]))
    tally = uvloop.run(run(plan))
    if not tally.latencies:
        raise SystemExit(f"no answer in time; refused: {tally.refused[:3]}")
    figures = {
        "rate": len(tally.latencies) / plan.seconds,
        "p50": 1000 * percentile(tally.latencies, 0.5),
        "p99": 1000 * percentile(tally.latencies, 0.99),
        "first": 1000 * percentile(tally.first_bytes, 0.5),
        "answered": tally.answered,
        "refused": len(tally.refused),
        "refusals": tally.refused[:3],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
