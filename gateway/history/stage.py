"""History as a stage of a request: facts go onto its event, texts to the thread that writes them.

It changes nothing about a request. Whatever goes wrong here, the request goes on.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import orjson

from gateway.history import facts, texts
from gateway.history.texts import Text, Texts
from gateway.history.writing import Writer
from gateway.models import HistoryText
from gateway.policy.schema import History as Settings
from gateway.proxy import bodies
from gateway.proxy.call import Call, Found
from gateway.proxy.recording import Recorded
from gateway.proxy.route import Route

log = logging.getLogger(__name__)

OFF, FULL = "off", "full"
NAME = "history"
"""Where an event's details have the facts."""
READ_AT_MOST = 524_288
"""Bytes of an answer that are looked into before it is paid for; of longer ones the length."""


class History:
    """Keeps what ``history.mode`` says; see ``gateway.proxy.stages.Stage``."""

    def __init__(self) -> None:
        self._writer = Writer()

    async def start(self) -> None:
        """Nothing to open: the thread starts with the first text."""

    async def close(self) -> None:
        """Write what is left."""
        await self._writer.close()

    async def before(self, call: Call) -> None:
        """Never an answer, never a refusal."""
        settings = call.snapshot.policy.document.history
        if settings.mode == OFF:
            return
        try:
            found = await bodies.looked_into(call.body, facts.of_request, call.request)
        except Exception as error:
            _say(error)
            return
        call.event.details[NAME] = {"request": found}
        keeping = Keeping(self._writer, settings)
        call.record_for(keeping)
        call.at_found.append(keeping.found)


class Keeping:
    """Keeps what one request is answered with."""

    def __init__(self, writer: Writer, settings: Settings) -> None:
        self._writer = writer
        self._settings = settings

    def settling(self, call: Call, recorded: Recorded) -> None:
        """Right before the event is written: the last moment for facts."""
        try:
            call.event.details[NAME]["answer"] = _facts_of(call.route, recorded)
        except Exception as error:
            _say(error)

    def settled(self, call: Call, recorded: Recorded) -> None:
        """The answer is paid for."""
        self._keep(call, partial(_whole, call.route, recorded), len(recorded.body))

    def found(self, call: Call, found: Found) -> None:
        """The answer was there already."""
        self.settling(call, found.recorded)
        self.settled(call, found.recorded)

    def dropped(self, call: Call) -> None:
        """Of an answer that broke off, what had come of it; of no answer, nothing."""
        if call.event.verdict in ("block", "cached") or call.stream is None:
            return
        text = call.stream.text()
        if text:
            answer = Text(text.encode(errors="ignore"), whole=False)
            self._keep(call, lambda: answer, len(text))

    def _keep(self, call: Call, answer: Callable[[], Text], size: int) -> None:
        if self._settings.mode != FULL:
            return
        make = partial(
            _row,
            Text(call.body),
            answer,
            event_id=call.id,
            organization_id=call.caller.organization_id,
            team_id=call.caller.team.id,
            created_at=call.now,
            expires_at=call.now + timedelta(days=self._settings.keep_days),
        )
        self._writer.offer(make, len(call.body) + size)


def _row(request: Text, answer: Callable[[], Text], **columns: Any) -> HistoryText:
    return texts.row(Texts(request, answer()), **columns)


def _facts_of(route: Route, recorded: Recorded) -> facts.Facts:
    if len(recorded.body) > READ_AT_MOST:
        return {"bytes": len(recorded.body)}
    answer = _answer(route, recorded)
    return facts.of_answer(answer, route.answer_text(answer))


def _answer(route: Route, recorded: Recorded) -> Mapping[str, Any]:
    if not recorded.streamed:
        answer: Mapping[str, Any] = orjson.loads(recorded.body)
        return answer
    if route.replay is None:
        raise ValueError(f"streams of {route.name} cannot be put together")
    return route.replay.whole(recorded.body)


def _whole(route: Route, recorded: Recorded) -> Text:
    """A plain answer as it came, a stream put together."""
    if not recorded.streamed:
        return Text(recorded.body)
    return Text(orjson.dumps(_answer(route, recorded)))


def _say(error: Exception) -> None:
    """What went wrong, without a word of the texts it went wrong with."""
    log.warning("facts of a request are not kept: %s", type(error).__name__)
