"""What the people asked who had these pains elsewhere, and what it costs here."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.gateway.conftest import World
from tests.gateway.serving import Answer, RunningGateway

INPUT, OUTPUT = 150, 600
"""Nano-dollars per token of gpt-4o-mini."""
PROMPT, COUNTED = 168, 13
"""Tokens of the prompt of ``serving.chat``: at most, by its bytes, and as they are counted here."""
WRITTEN = 4
"""Tokens of what the provider says, counted here."""
COST = 14 * INPUT + 25 * OUTPUT
"""Of an ordinary answer."""
MAX_TOKENS = 50
HOLD = PROMPT * INPUT + MAX_TOKENS * OUTPUT
FULL = {"prompt_tokens": PROMPT, "completion_tokens": MAX_TOKENS, "total_tokens": 218}
"""The usage that costs exactly the hold."""


def many(gateways: list[RunningGateway], world: World, count: int, **fields: Any) -> list[Answer]:
    """The same completion from so many clients at the same time, the gateways in turn."""

    def ask(number: int) -> Answer:
        return gateways[number % len(gateways)].chat(world.key, max_tokens=MAX_TOKENS, **fields)

    with ThreadPoolExecutor(count) as clients:
        return list(clients.map(ask, range(count)))
