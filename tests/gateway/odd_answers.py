"""Everything a provider can do wrong, as strategies of Hypothesis."""

import gzip
import json
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.fakes import dialects, metered
from tests.fakes.hostile import Mark, Script, Step, chunked, head, plain
from tests.gateway.fuzzing import ROUTES, SEEDS

USAGE: dict[str, Any] = {"prompt_tokens": 14, "completion_tokens": 25, "total_tokens": 39}
EVENT_STREAM = "text/event-stream"
COUNTS = st.sampled_from(
    [
        *(0, -1, -(10**9), 7, 14, 10**7, 10**9, 2**31, 2**63, 2**64, 10**40, 1.5, 3.0, -0.0, 1e300),
        *("14", "", "NaN", None, True, [], {}, [14], {"value": 14}, float("nan"), float("inf")),
    ]
)
COUNTED = (
    *("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens"),
    *("cache_read_input_tokens", "cache_creation_input_tokens"),
)
DETAILED = {
    "prompt_tokens_details": ("cached_tokens", "audio_tokens", "cache_write_tokens"),
    "completion_tokens_details": ("reasoning_tokens", "audio_tokens"),
    "cache_creation": ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"),
}
USAGES = st.one_of(
    st.just(USAGE),
    *(
        st.fixed_dictionaries(dict.fromkeys(names, COUNTS))
        for names in (COUNTED[:2], COUNTED[:3], COUNTED[3:5])
    ),
    st.sampled_from(["14", 14, [], [USAGE], True, {}, {"usage": USAGE}]),
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(COUNTED, COUNTS)
        | {
            name: COUNTS | st.fixed_dictionaries({}, optional=dict.fromkeys(parts, COUNTS))
            for name, parts in DETAILED.items()
        },
    ),
)  # fmt: skip
SHAPES = st.one_of(
    st.sampled_from(
        [
            *(None, 7, "text", [], [1], {}, {"choices": 7}, {"choices": [None]}, {"choices": [{}]}),
            *({"choices": [{"message": "x"}]}, {"choices": [{"message": {"content": [1]}}]}),
            *({"content": "x"}, {"content": [{"type": "text", "text": 7}]}, {"output": [[]]}),
            *({"data": 7, "usage": USAGE}, {"results": [7]}, {"input_tokens": "x"}),
            *({"error": "x"}, {"error": {"message": 7, "code": []}}, {"error": [], "usage": USAGE}),
            *({"error": {}}, {"error": {"type": "insufficient_quota"}}, {"usage": USAGE}),
            {"choices": [{"delta": {"content": "x", "tool_calls": [{"function": None}]}}]},
            {"type": "error", "error": None}, {"type": "message_start", "message": None},
            {"type": "message_delta", "delta": 7, "usage": {"output_tokens": -5}},
            {"type": "content_block_delta", "index": "x", "delta": {"type": "text_delta"}},
            {"type": "content_block_start", "content_block": 7}, {"type": "response.failed"},
            {"type": "response.completed", "response": []}, {"type": ["message_stop"]},
        ]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=5,
    ),
)  # fmt: skip
GARBAGE = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [
            *(b"", b"{", b"null", b"<html>", b"\xff\xfe", b"[" * 5_000, b'{"a":' * 5_000),
            *(b"data: [DONE]\n\n", b"data:\n\n", b"\n\n\n\n", b"event: error\n\n", b": ping\n\n"),
            *(b'{"usage":{"prompt_tokens":1e999}}', b'{"error":"' + b"\xff" * 50 + b'"}'),
        ]
    ),
)


class Said(NamedTuple):
    """What the provider does, and the worst status it may be blamed for."""

    script: Script
    status: int


@st.composite
def answers(draw: st.DrawFn, route: str, stream: bool, wordy: bool = False) -> Said:
    """An answer of any kind to a request of the route; ``wordy``: a stream with much text."""
    kind = draw(st.sampled_from(("odd", "odd", "odd", "status", "wire")))
    if kind == "status":
        return draw(_bad_statuses())
    body = draw(_events(route, wordy)) if stream else draw(_plain_bodies(route))
    if kind == "wire":
        return Said(draw(_bad_wires(body, stream)), 0)
    return Said(draw(_framed(body, stream)), 0)


@st.composite
def _plain_bodies(draw: st.DrawFn, route: str) -> list[bytes]:
    if draw(st.integers(0, 3)) == 0:
        return [draw(GARBAGE)]
    if draw(st.integers(0, 3)) == 0:
        return [json.dumps(draw(SHAPES)).encode()]
    value = _answer(route, {}) | {"usage": draw(USAGES)}
    if draw(st.integers(0, 3)) == 0:
        value[draw(st.sampled_from(sorted(value)))] = draw(SHAPES)
    return [json.dumps(value).encode()]


@st.composite
def _events(draw: st.DrawFn, route: str, wordy: bool) -> list[bytes]:
    """The events of a stream with a few things wrong."""
    asked = {**SEEDS[route], "stream": True, "stream_options": {"include_usage": True}}
    usage = draw(USAGES)
    found = [_reporting(event, usage) for event in _answer(route, asked)]
    if wordy:
        words = b" drift" * draw(st.sampled_from((1, 300, 1_000, 3_000)))
        found = [event.replace(b" drift", words) for event in found for _ in (0, 1)]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(found)))
        how = draw(st.sampled_from(("drop", "repeat", "shape", "garbage", "swap", "end", "long")))
        if how == "shape":
            found.insert(place, b"data: " + json.dumps(draw(SHAPES)).encode() + b"\n\n")
        elif how == "garbage":
            found.insert(place, draw(GARBAGE))
        elif how == "end":
            found.insert(place, draw(st.sampled_from((b"data: [DONE]\n\n", *ENDS))))
        elif how == "long":
            found.insert(place, b": " + b"x" * 300_000 + b"\n\n")
        elif place < len(found):
            event = found.pop(place)
            found.extend({"drop": [], "repeat": [event, event], "swap": [event]}[how])
    return [event.replace(b"\n", draw(st.sampled_from((b"\n", b"\r\n", b"\r")))) for event in found]


ENDS = [
    b'event: message_stop\ndata: {"type": "message_stop"}\n\n',
    b'data: {"type": "response.completed", "response": {"usage": {"input_tokens": -1}}}\n\n',
    b'data: {"error": {"message": "overloaded", "type": "server_error", "code": null}}\n\n',
    b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n',
]


def _answer(route: str, body: dict[str, Any]) -> Any:
    """A good answer: a list of events for a body that asks for them, else an object."""
    path = "/v1/messages" if route == "translated" else ROUTES[route]
    known = dialects.events if body else dialects.answer
    chat: Any = metered.chat_events if body else metered.chat
    return known(path, {**SEEDS[route], **body}, metered.WORDS, USAGE) or chat(body, USAGE)


def _reporting(event: bytes, usage: Any) -> bytes:
    """The event with another usage wherever it has one."""
    kind, _, data = event.rpartition(b"data: ")
    if b'"usage": {' not in data:
        return event
    value = json.loads(data)
    for inside in (value, value.get("message"), value.get("response")):
        if isinstance(inside, dict) and inside.get("usage"):
            inside["usage"] = usage
    return kind + b"data: " + json.dumps(value).encode() + b"\n\n"


@st.composite
def _framed(draw: st.DrawFn, parts: list[bytes], stream: bool) -> Script:
    """Whole, in a form that HTTP knows."""
    kind = EVENT_STREAM if stream else "application/json"
    kind = draw(st.sampled_from((kind, kind, kind, kind + "; charset=utf-8", "text/plain", "")))
    form = draw(st.sampled_from(("length", "chunked", "close", "old", "bytes", "hints", "gzip")))
    whole = b"".join(parts)
    if form == "length":
        return [plain(whole, content_type=kind)]
    if form == "chunked":
        return [head(content_type=kind, transfer_encoding="chunked"), *chunked(*parts)]
    if form == "bytes":
        singles = [whole[n : n + 1] for n in range(min(len(whole), 400))]
        rest = chunked(*singles, whole[400:])
        return [head(content_type=kind, transfer_encoding="chunked"), *rest]
    if form == "old":
        return [head(version="1.0", content_type=kind), whole]
    if form == "hints":
        early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
        return [b"HTTP/1.1 100 Continue\r\n\r\n", early, plain(whole, content_type=kind)]
    if form == "gzip":
        packed = gzip.compress(whole) if draw(st.booleans()) else whole
        return [plain(packed, content_type=kind, content_encoding="gzip")]
    spaced: list[Step] = [head(content_type=kind)]
    for part in parts:
        spaced += [part, Mark.BREATH]
    return spaced


@st.composite
def _bad_wires(draw: st.DrawFn, parts: list[bytes], stream: bool) -> Script:
    """Cut at any byte, in one of the ways in which connections end; or a length that is a lie."""
    kind = EVENT_STREAM if stream else "application/json"
    whole = b"".join(parts)
    lie = draw(st.sampled_from(("", "0", "1", "99999999", "-1", "x", "18446744073709551616")))
    if lie:
        return [head(content_type=kind, content_length=lie) + whole]
    sent = draw(
        st.sampled_from(
            (
                head(content_type=kind) + whole,
                plain(whole, content_type=kind),
                head(content_type=kind, transfer_encoding="chunked") + b"".join(chunked(*parts)),
                head(content_type=kind, transfer_encoding="chunked") + b"zz\r\n" + whole,
            )
        )
    )
    place = draw(st.integers(0, len(sent)))
    endings: list[list[Step]] = [[], [Mark.RESET], [Mark.BREATH, Mark.RESET]]
    ending = draw(st.sampled_from(endings))
    # Hanging is what takes time: not often.
    return [sent[:place], *([Mark.HANG] if draw(st.integers(0, 9)) == 0 else ending)]


@st.composite
def _bad_statuses(draw: st.DrawFn) -> Said:
    status = draw(
        st.sampled_from(
            (
                *(201, 204, 206, 299, 300, 301, 302, 304, 307, 308, 400, 401, 402, 403, 404, 408),
                *(409, 413, 418, 422, 425, 429, 451, 499, 500, 501, 502, 503, 504, 520, 529, 599),
            )
        )
    )
    body = draw(st.one_of(GARBAGE, SHAPES.map(lambda value: json.dumps(value).encode())))
    headers = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "retry_after": st.sampled_from(
                    ("0", "0.01", "-5", "x", "1e400", "\xff", "Sun, 99 Xyz 2026", "9" * 400)
                ),
                "retry_after_ms": st.sampled_from(("1", "-1", "nan", "")),
                "location": st.just("http://127.0.0.1:1/"),
                "x_request_id": st.just("\xe9" * 20),
            },
        )
    )
    return Said([plain(b"" if status in (204, 304) else body, status, **headers)], status)
