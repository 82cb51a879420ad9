"""How requests are read and answers are written: exact, strict, in one error shape."""

from decimal import Decimal

import pytest
from django.core.cache import cache

from keeptrusts.lib.rest.throttling import CallerThrottle
from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World

ALLOCATE = "wallets/allocate"


@pytest.mark.parametrize(
    ("dollars", "token"),
    [("500.00", "500"), ("0.0000171", "0.0000171"), ("0.000000001", "0.000000001")],
)
def test_money_is_printed_in_fixed_point(
    world: World, admin: Caller, dollars: str, token: str
) -> None:
    answer = admin.post(ALLOCATE, {"team_id": "team_marketing", "amount": Decimal(dollars)})
    assert f'"amount":{token},' in answer.text
    assert f'"balance":{token},' in answer.text


def test_numbers_are_read_exactly(world: World, admin: Caller) -> None:
    body = '{"team_id": "team_marketing", "amount": 0.1000000010}'
    admin.call("POST", ALLOCATE, raw=body)
    assert world.wallet(world.marketing).balance == 100_000_001


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        ('{"amount": NaN}', 400, "parse_error"),
        ('{"amount": Infinity}', 400, "parse_error"),
        ('{"amount": 1e99999999999999999999}', 400, "parse_error"),
        ("{not json", 400, "parse_error"),
        ('{"\\u0000": 1}', 400, "parse_error"),
        ('{"amount": {"\\ud800": 1}}', 400, "parse_error"),
        ('{"amount": 1, "currency": "\\ud800"}', 422, "unsupported_currency"),
        (b"\xff\xfe", 400, "parse_error"),
        ("[" * 100_000, 400, "parse_error"),
        ("[1, 2]", 422, "invalid_body"),
        ("null", 422, "invalid_body"),
        ('"text"', 422, "invalid_body"),
        (" " * (256 * 1024) + "{}", 413, "body_too_large"),
    ],
)
def test_a_body_that_cannot_be_used_is_a_clear_error(
    world: World, admin: Caller, raw: str | bytes, status: int, code: str
) -> None:
    before = world.balances()
    answer = admin.call("POST", ALLOCATE, raw=raw)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert answer.error["message"]
    assert world.balances() == before


def test_an_answer_may_quote_half_a_character(admin: Caller) -> None:
    answer = admin.call("POST", "limits", raw='{"period": "\\ud800", "amount": 1}')
    assert (answer.status, answer.error["details"]["field"]) == (422, "period")


def test_the_last_of_two_equal_keys_counts(world: World, admin: Caller) -> None:
    admin.call("POST", ALLOCATE, raw='{"team_id":"team_marketing","amount":1,"amount":2}')
    assert world.wallet(world.marketing).balance == factories.nano(2)


def test_another_content_type_is_415(admin: Caller) -> None:
    answer = admin.call("POST", ALLOCATE, raw="a=b", content_type="text/plain")
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")


def test_another_method_is_405(admin: Caller) -> None:
    answer = admin.call("PUT", ALLOCATE, {})
    assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["nothing", "wallets/a/b/c", "", "/v1", "/api/other"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_route_is_404_for_everybody(db: None, path: str, method: str) -> None:
    answer = Caller(None).call(method, path)
    assert (answer.status, answer.error["code"]) == (404, "not_found")


def test_unknown_fields_are_named(world: World, admin: Caller) -> None:
    answer = admin.post(ALLOCATE, {"team_id": "team_marketing", "amount": 1, "ammount": 2})
    assert (answer.status, answer.error["code"]) == (422, "unknown_field")
    assert answer.error["details"]["field"] == "ammount"
    assert world.wallet(world.marketing).balance == 0


def test_unknown_filters_are_named(admin: Caller) -> None:
    answer = admin.get("wallets", skope="team")
    assert (answer.status, answer.error["details"]["field"]) == (422, "skope")


def test_unknown_query_parameters_of_one_object_are_named(world: World, admin: Caller) -> None:
    answer = admin.get(f"wallets/{world.wallet().public_id}", x=1)
    assert (answer.status, answer.error["details"]["field"]) == (422, "x")


@pytest.mark.parametrize("path", ["events?model=%00", "wallets/%00", "teams?search=a%00"])
def test_nul_characters_are_refused(admin: Caller, path: str) -> None:
    assert admin.get(path).status == 422


def test_answers_are_json_whatever_is_accepted(admin: Caller) -> None:
    answer = admin.call("GET", "wallets", Accept="text/html")
    assert answer.headers["Content-Type"] == "application/json"


def test_every_answer_carries_its_request_id(admin: Caller) -> None:
    answer = admin.call("GET", "wallets", X_Request_ID="req-of-the-caller")
    assert answer.headers["X-Request-ID"] == "req-of-the-caller"


def test_too_many_calls_are_429_with_a_time_to_wait(
    admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CallerThrottle, "per_credential", 2)
    cache.clear()
    statuses = [admin.get("teams").status for _ in range(4)]
    answer = admin.get("teams")
    # A minute may turn between the calls; five calls cannot fit into two windows of two.
    assert 429 in [*statuses, answer.status]
    if answer.status == 429:
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
