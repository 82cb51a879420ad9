"""What must hold after every request, however odd: the books of a gateway that is being fuzzed."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings

from gateway.models import DecisionEvent
from keeptrusts.lib import money
from tests.fakes.hostile import Hostile
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, RunningGateway, eventually
from wallets import sums, verification
from wallets.models import Reservation

ROUTES = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "count": "/v1/messages/count_tokens",
    "moderations": "/v1/moderations",
    "translated": "/v1/chat/completions",
}
"""By name; ``translated`` is a chat with a provider of another protocol."""
HELLO = [{"role": "user", "content": "Write a short haiku."}]
SEEDS: dict[str, dict[str, Any]] = {
    "chat": {"model": "gpt-4o-mini", "max_tokens": 64, "messages": HELLO},
    "completions": {"model": "gpt-3.5-turbo-instruct", "max_tokens": 64, "prompt": "Write."},
    "embeddings": {"model": "text-embedding-3-small", "input": ["one", "two"]},
    "responses": {"model": "gpt-4o-mini", "max_output_tokens": 64, "input": "Write."},
    "messages": {"model": "claude-sonnet-5", "max_tokens": 64, "messages": HELLO},
    "count": {"model": "claude-sonnet-5", "messages": HELLO},
    "moderations": {"model": "omni-moderation-latest", "input": "Write."},
    "translated": {"model": "claude-sonnet-5", "max_tokens": 64, "messages": HELLO},
}
STREAMING = ("chat", "completions", "responses", "messages", "translated")

MODELS = {
    "openai": [
        *("gpt-4o-mini", "gpt-3.5-turbo-instruct"),
        *("text-embedding-3-small", "omni-moderation-latest"),
    ],
    "anthropic": ["claude-sonnet-5"],
}
IN_ORDER = {200, 400, 402, 403, 404, 405, 408, 409, 413, 422, 429, 502, 503, 504}
TIMEOUTS = {"connect": 2, "first_byte": 0.5, "idle": 0.5, "total": 2}
PATIENCE_SECONDS = 20
BROKEN = re.compile("gateway|asyncio|wallets|uvicorn")
COMMENT = re.compile(rb": keeptrusts cost=([0-9.]+)")


def bounded(quick: int) -> settings:
    """So many examples, and twice as many under the profile ``soak``."""
    soaking = settings.get_current_profile_name() == "soak"
    return settings(
        max_examples=quick * 2 if soaking else quick,
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )


def gateway_before(upstream: Hostile, serve: Serve, **changes: Any) -> RunningGateway:
    """A gateway whose targets of both protocols are one misbehaving server."""
    targets = [
        # A copy for each: YAML would write an alias otherwise.
        {
            "id": id,
            "provider": id,
            "models": models,
            "base_url": upstream.url,
            "timeouts": {**TIMEOUTS},
        }
        for id, models in MODELS.items()
    ]
    return serve(providers={"targets": targets}, **changes)


class _Faults(logging.Handler):
    """Everything the gateway calls an error of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if BROKEN.match(record.name):
            self.found.append(self.format(record))


class Books:
    """Counts what was asked and checks what must hold."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.events = 0
        self._faults = _Faults()

    @contextmanager
    def open(self) -> Iterator["Books"]:
        """Errors in the log are noticed inside the block."""
        logging.getLogger().addHandler(self._faults)
        try:
            yield self
        finally:
            logging.getLogger().removeHandler(self._faults)

    def check(self, route: str, answer: Answer, *, upstream: int = 0) -> None:
        """One answer, and the books after it. ``upstream``: a status the provider answered with."""
        assert answer.status in IN_ORDER | ({upstream} if upstream >= 400 else set()), answer
        found = answer.headers.get("x-keeptrusts-request-id")
        if answer.status != 200:
            check_error(route, answer)
        if found is None:
            assert answer.status in (400, 401, 404, 405, 408, 413), answer
        else:
            self._check_event(found, answer)
        self.check_wallet()

    def _check_event(self, id: str, answer: Answer) -> None:
        self.events += 1
        eventually(lambda: DecisionEvent.objects.filter(pk=id).exists(), what="the event")
        event = DecisionEvent.objects.get(pk=id)
        said = cost_of(answer)
        assert event.reason_code != "internal_error", answer
        assert (event.cost or 0) >= 0 <= event.written_off <= (event.cost or 0)
        if said is not None:
            assert said == (event.cost or 0), (answer, event.cost)

    def check_wallet(self) -> None:
        """No hold, one event each, and the wallet paid what the events say."""
        self.world.closed()
        assert DecisionEvent.objects.count() == self.events
        wallet = self.world.wallet
        assert (wallet.reserved, wallet.debt) == (0, 0)
        assert wallet.total_spent == charged()
        assert wallet.posted + wallet.total_spent == wallet.total_allocated
        assert self._faults.found == []

    def verify(self) -> None:
        """The proof over everything that happened."""
        assert verification.verify().problems == []
        assert not Reservation.objects.filter(charged__lt=0).exists()


def charged() -> int:
    """Nano-dollars of all events, without what was written off."""
    whole, rest = sums.parts("cost")
    lost, lost_rest = sums.parts("written_off")
    row = DecisionEvent.objects.aggregate(a=whole, b=rest, c=lost, d=lost_rest)
    return sums.join(row["a"], row["b"]) - sums.join(row["c"], row["d"])


def cost_of(answer: Answer) -> int | None:
    """Nano-dollars the answer names, in a header or in the last comment of a stream."""
    header = answer.headers.get("x-keeptrusts-cost")
    if header is not None:
        return money.nanos(Decimal(header))
    comment = COMMENT.findall(answer.raw)
    return money.nanos(Decimal(comment[-1].decode())) if comment else None


def check_error(route: str, answer: Answer) -> None:
    """An error is in the shape of its route, and no fault of the gateway."""
    value = json.loads(answer.raw)
    error = value["error"]
    assert isinstance(error, dict), answer
    assert error.get("code") != "internal_error", answer
    if ROUTES[route].startswith("/v1/messages"):
        assert value["type"] == "error", answer
