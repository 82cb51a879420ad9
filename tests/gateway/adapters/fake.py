"""A real HTTP server that speaks Anthropic's Messages API and nothing else."""

from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from tests.fakes.upstream import FakeUpstream, Recorded
from tests.gateway.adapters.events import Event, encoded, events_of

MODEL = "claude-sonnet-4-5"


def message(*content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A message that took 14 tokens of prompt and 25 of answer."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": list(content) or [{"type": "text", "text": "Clouds drift by"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 14,
            "output_tokens": 25,
            "output_tokens_details": {"thinking_tokens": 0},
        },
        **changes,
    }


@dataclass(frozen=True)
class Plan:
    """How requests are answered. ``events``: instead of those of the message. ``cut_after``: the
    connection breaks after that many of them."""

    message: dict[str, Any]
    status: int = 200
    error: dict[str, Any] | None = None
    events: list[Event] | None = None
    cut_after: int | None = None


class FakeAnthropic(FakeUpstream):
    """The server; ``plan`` changes how it answers from now on."""

    def __init__(self) -> None:
        super().__init__()
        self._plan = Plan(message())

    def plan(self, **changes: Any) -> None:
        """Answer as by default, with ``changes``."""
        self._plan = replace(Plan(message()), **changes)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        recorded = Recorded(request.path, dict(request.headers), await request.read())
        self.requests.append(recorded)
        plan = self._plan
        if request.path != "/v1/messages" or plan.status != 200:
            return web.json_response(plan.error, status=plan.status if plan.error else 404)
        if not recorded.body.get("stream"):
            return web.json_response(plan.message)
        return await self._events(request, plan)

    async def _events(self, request: web.Request, plan: Plan) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in (plan.events or events_of(plan.message))[: plan.cut_after]:
            await response.write(encoded([event]))
        if plan.cut_after is not None:
            assert request.transport is not None
            request.transport.abort()
        return response
