"""A caller's trace goes on to the provider, with a span of the gateway's own in between."""

import re

import pytest

from gateway.proxy import tracing

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
LINE = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def _parts(headers: dict[str, str]) -> tuple[str, ...]:
    found = LINE.fullmatch(headers["traceparent"])
    assert found is not None
    return found.groups()


@pytest.mark.parametrize("flags", ["00", "01", "03"])
def test_the_trace_and_its_flags_stay_and_the_span_is_new(flags: str) -> None:
    found = tracing.child({b"traceparent": f"00-{TRACE}-{SPAN}-{flags}".encode()})
    trace, span, sampled = _parts(found)
    assert (trace, sampled) == (TRACE, flags)
    assert span != SPAN


def test_every_attempt_has_a_span_of_its_own() -> None:
    given = {b"traceparent": f"00-{TRACE}-{SPAN}-01".encode()}
    assert tracing.child(given) != tracing.child(given)


def test_a_caller_without_a_trace_gets_one_that_is_not_recorded() -> None:
    trace, _, flags = _parts(tracing.child({}))
    assert flags == "00"
    assert trace != _parts(tracing.child({}))[0]


@pytest.mark.parametrize(
    "given",
    [
        "garbage",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\r\nx: y",
    ],
)
def test_a_trace_that_cannot_be_read_is_not_passed_on(given: str) -> None:
    found = tracing.child({b"traceparent": given.encode(), b"tracestate": b"a=1"})
    assert _parts(found)[0] != TRACE
    assert "tracestate" not in found


def test_a_later_version_is_answered_in_the_first() -> None:
    found = tracing.child({b"traceparent": f"01-{TRACE}-{SPAN}-01-more".encode()})
    assert _parts(found)[0] == TRACE


@pytest.mark.parametrize(
    ("state", "passed"),
    [("vendor=one,other=two", True), ("a=" + "b" * 510, True), ("a=" + "b" * 511, False)],
    ids=["usual", "longest", "too long"],
)
def test_the_state_goes_with_the_trace(state: str, passed: bool) -> None:
    given = {b"traceparent": f"00-{TRACE}-{SPAN}-01".encode(), b"tracestate": state.encode()}
    assert tracing.child(given).get("tracestate") == (state if passed else None)
