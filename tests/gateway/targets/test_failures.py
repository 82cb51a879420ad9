"""What kind of failure an answer is, and how long a provider asks to wait."""

from datetime import UTC, datetime

import orjson
import pytest

from gateway.targets import Failure, of_answer, of_code, retry_after

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def _error(**fields: str) -> bytes:
    return orjson.dumps({"error": {"message": "no", **fields}})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Failure.FINAL),
        (401, Failure.UNAUTHORIZED),
        (402, Failure.OUT_OF_QUOTA),
        (403, Failure.FINAL),
        (404, Failure.FINAL),
        (408, Failure.SERVER),
        (409, Failure.FINAL),
        (413, Failure.FINAL),
        (422, Failure.FINAL),
        (429, Failure.LIMITED),
        (500, Failure.SERVER),
        (503, Failure.SERVER),
        (529, Failure.SERVER),
        (200, Failure.SERVER),
        (204, Failure.USELESS),
        (307, Failure.USELESS),
    ],
)
def test_the_status_says_what_kind_of_failure_it_is(status: int, kind: Failure) -> None:
    assert of_answer(status, _error(type="theirs")) is kind


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, _error(code="insufficient_quota", type="insufficient_quota")),
        (429, _error(code="billing_not_active")),
        (400, _error(code="billing_hard_limit_reached", type="invalid_request_error")),
        (403, orjson.dumps({"type": "error", "error": {"type": "billing_error"}})),
        (
            400,
            _error(
                type="invalid_request_error",
                message="Your credit balance is too low to access the Anthropic API.",
            ),
        ),
    ],
)
def test_an_account_without_money_is_no_rate_limit(status: int, body: bytes) -> None:
    assert of_answer(status, body) is Failure.OUT_OF_QUOTA


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b""),
        (403, _error(type="permission_error")),
        (403, _error(code="unsupported_country_region_territory")),
        (403, _error(type="theirs", message="The API key may not do this.")),
        (200, _error(code="invalid_api_key")),
    ],
)
def test_a_refusal_of_our_own_key_is_told_apart(status: int, body: bytes) -> None:
    assert of_answer(status, body) is Failure.UNAUTHORIZED


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"error": "text"}', b'{"error": null}'])
def test_a_body_in_another_shape_is_judged_by_its_status(body: bytes) -> None:
    assert of_answer(429, body) is Failure.LIMITED
    assert of_answer(400, body) is Failure.FINAL


def test_failures_found_here_have_kinds() -> None:
    assert of_code("upstream_unreachable") is Failure.CONNECTION
    assert of_code("upstream_timeout") is Failure.TIMEOUT
    assert of_code("upstream_broke_off") is Failure.BROKEN_OFF
    assert of_code("upstream_empty") is Failure.USELESS
    assert of_code("upstream_too_long") is Failure.FINAL


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:20 GMT"}, 20.0),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "99999999999"}, 86_400.0),
        ({}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "１"}, None),
    ],
)
def test_a_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds
