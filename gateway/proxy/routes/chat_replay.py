"""A finished completion in its other form: chunks put together, or an answer cut into them."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.proxy import sse
from gateway.proxy.route import Request
from gateway.values import objects

SAID_WHOLE = frozenset({"id", "type", "role", "name", "index", "format", "finish_reason"})
"""Texts of a delta that come at once, while all others are continued."""
NOT_FACTS = frozenset({"choices", "obfuscation"})
"""``obfuscation`` is noise that hides how long a chunk is."""


class ChatReplay:
    """Both forms share one record: see ``gateway.proxy.route.Replay``.

    ``plain`` and ``streamed`` are what the two call themselves.
    """

    def __init__(self, plain: str, streamed: str) -> None:
        self._plain, self._streamed = plain, streamed

    def whole(self, events: bytes) -> dict[str, Any]:
        """The plain answer that the chunks of a stream add up to."""
        answer: dict[str, Any] = {}
        choices: dict[int, dict[str, Any]] = {}
        for event in sse.events(events):
            chunk = sse.object_of(event)
            for choice in objects(chunk.get("choices")):
                _add_choice(choices, choice)
            _continue_facts(answer, chunk)
        answer["object"] = self._plain
        answer["choices"] = [_finished(choices[index]) for index in sorted(choices)]
        return answer

    def events(self, answer: Mapping[str, Any], request: Request) -> bytes:
        """Two chunks for every choice, what it says and why it ended; the usage; ``[DONE]``."""
        frame = {name: answer[name] for name in answer if name not in ("choices", "usage")}
        frame["object"] = self._streamed
        chunks = [
            frame | {"choices": [part]}
            for choice in objects(answer.get("choices"))
            for part in _parts(choice)
        ]
        if answer.get("usage") is not None:
            chunks.append(frame | {"choices": [], "usage": answer["usage"]})
        return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + sse.DONE


def _continue_facts(answer: dict[str, Any], chunk: Mapping[str, Any]) -> None:
    """What chunks say beside their choices: the newest, and nothing only where nothing was said."""
    for name, value in chunk.items():
        if value is not None and name not in NOT_FACTS:
            answer[name] = value
        elif name not in NOT_FACTS and name != "usage":
            answer.setdefault(name, None)


def _index(part: Mapping[str, Any], default: int) -> int:
    index = part.get("index")
    return index if type(index) is int else default


def _add_choice(choices: dict[int, dict[str, Any]], part: Mapping[str, Any]) -> None:
    index = _index(part, 0)
    choice = choices.setdefault(index, {"index": index, "logprobs": None, "finish_reason": None})
    for name, value in part.items():
        if name == "delta" and isinstance(value, Mapping):
            message = choice.setdefault("message", {"role": "assistant", "content": None})
            _continue(message, value)
        elif name not in ("delta", "index") and value is not None:
            _continue(choice, {name: value})


def _finished(choice: dict[str, Any]) -> dict[str, Any]:
    """The places of tool calls belong to streams alone."""
    for call in choice.get("message", {}).get("tool_calls") or ():
        call.pop("index", None)
    return choice


def _continue(said: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add a delta to what was said before."""
    for name, value in more.items():
        before = said.get(name)
        if value is None:
            said.setdefault(name, None)
        elif isinstance(value, list):
            said[name] = _joined(before if isinstance(before, list) else [], value)
        elif isinstance(value, Mapping):
            said[name] = dict(before) if isinstance(before, Mapping) else {}
            _continue(said[name], value)
        elif isinstance(value, str) and isinstance(before, str) and name not in SAID_WHOLE:
            said[name] = before + value
        else:
            said[name] = value


def _joined(before: list[Any], more: list[Any]) -> list[Any]:
    """Items that say their place are continued there, all others come after one another."""
    found = list(before)
    for item in more:
        place = item.get("index") if isinstance(item, Mapping) else None
        if not isinstance(place, int):
            found.append(item)
            continue
        mine = next((i for i in found if isinstance(i, dict) and i.get("index") == place), None)
        if mine is None:
            found.append(mine := {"index": place})
        _continue(mine, item)
    return found


def _parts(choice: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a choice says, then why it ended; a completion says its text, a chat a message."""
    index = {"index": _index(choice, 0)}
    ended = {"finish_reason": choice.get("finish_reason")}
    said = {name: choice[name] for name in choice if name not in ("message", "finish_reason")}
    message = choice.get("message")
    if not isinstance(message, Mapping):
        yield said | index | {"finish_reason": None}
        yield index | {"text": ""} | ended
        return
    delta = dict(message)
    calls = list(objects(delta.get("tool_calls")))
    if calls:
        delta["tool_calls"] = [{"index": number} | dict(call) for number, call in enumerate(calls)]
    yield said | index | {"delta": delta, "finish_reason": None}
    yield index | {"delta": {}} | ended
