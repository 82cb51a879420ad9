"""`kt events show`: the receipt of one request in the terminal; and what else `kt events` shows."""

import json
from typing import Any

from tests.kt.conftest import Kt
from tests.kt.fake_api import FakeApi
from tests.kt.test_api_commands import event, page

LINE = {"token_class": "input", "tokens": 14, "usd_per_1k_tokens": 0.00015, "cost": 0.0000021}
RECEIPT: dict[str, Any] = event(
    1,
    team_id="team_engineering", user_id=None, key_id="key_1", provider="openai", status=200,
    route="/v1/chat/completions", streamed=True, latency_ms=812, hold=0.01, written_off=0,
    estimated_avoided_cost=0, wallet="wal_1", price_version="catalogue:1", flags=["cut"],
    tags={"job": "nightly"}, attempts=[{"target": "first", "status": 500}, {"target": "second"}],
    calculation={
        "lines": [LINE], "sum": "0.0000021", "rounding": "up", "formula": "14 x 0.00015 / 1000",
    },
    transactions=[
        {
            "id": "ent_1", "type": "settle", "amount": -0.0000171, "balance_after": 9.5,
            "wallet": "wal_1",
        }
    ],
)  # fmt: skip


def test_a_receipt_says_who_what_and_how_the_cost_came_about(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/events/req_1", json.dumps(RECEIPT))
    outcome = kt("events", "show", "req_1")
    assert outcome.code == 0
    assert outcome.out == (
        "Request:        req_1\n"
        "Time:           2026-04-01T00:00:01Z\n"
        "Verdict:        allow, status 200, 812 ms\n"
        "Route:          /v1/chat/completions (stream)\n"
        "Model:          openai gpt-4o-mini\n"
        "Consumer group: engineering\n"
        "Team:           team_engineering\n"
        "Key:            key_1\n"
        "Tags:           job=nightly\n"
        "Flags:          cut\n"
        "Wallet:         wal_1\n"
        "Held:           $0.01\n"
        "Cost:           $0.0000171\n"
        "Price:          catalogue:1\n"
        "Formula:        14 x 0.00015 / 1000\n"
        "Tokens by class:\n"
        "  input: 14 at $0.00015 / 1K = $0.0000021\n"
        "Attempts:\n"
        "  first, status 500\n"
        "  second\n"
        "Ledger entries:\n"
        "  ent_1  settle  -$0.0000171, balance $9.50 (wal_1)\n"
    )


def test_a_receipt_as_json_is_what_the_api_says(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/events/req_1", json.dumps(RECEIPT))
    assert json.loads(kt("events", "show", "req_1", "--json").out) == RECEIPT


def test_a_refused_request_has_a_receipt_without_a_calculation(kt: Kt, api: FakeApi) -> None:
    refused = RECEIPT | {
        "verdict": "block", "reason_code": "stopped", "cost": None, "wallet": None,
        "calculation": None, "attempts": [], "transactions": [],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }  # fmt: skip
    api.on("GET", "/v1/events/req_1", json.dumps(refused))
    out = kt("events", "show", "req_1").out
    assert "Verdict:        block stopped, status 200, 812 ms\n" in out
    assert "Tokens by class" not in out


def test_flags_and_written_off_money_have_columns_where_there_are_any(kt: Kt, api: FakeApi) -> None:
    odd = event(2, flags=["cut", "estimated"], written_off=0.5)
    api.on("GET", "/v1/events?limit=10", page(odd, event(1)))
    head, first, second = kt("events", "tail").out.splitlines()
    assert head.endswith("COST  WRITTEN OFF  FLAGS")
    assert first.split()[-3:] == ["$0.0000171", "-", "-"]
    assert second.split()[-3:] == ["$0.0000171", "$0.50", "cut,estimated"]


def test_a_verdict_spelled_differently_is_suggested(kt: Kt) -> None:
    outcome = kt("events", "tail", "--verdict", "blocked")
    assert outcome.code == 2
    assert "Did you mean 'block'?" in outcome.err


def test_a_secret_stops_its_key_and_is_neither_sent_nor_shown(kt: Kt, api: FakeApi) -> None:
    secret = "kt_cg_abcdef" + "0" * 40
    keys = [{"id": "key_1", "prefix": "kt_cg_abcdef"}, {"id": "key_2", "prefix": "kt_cg_fedcba"}]
    api.on("GET", "/v1/keys", json.dumps({"results": keys, "next": None}))
    api.on("POST", "/v1/stops", '{"id": "stop_1"}', status=201)
    outcome = kt("stop", "key", secret)
    assert outcome.out.splitlines()[0] == "Stopped key kt_cg_abcdef… (stop_1)"
    assert json.loads(api.requests[-1]["body"])["target"] == "key_1"
    assert secret not in outcome.out + "".join(str(request) for request in api.requests)


def test_a_secret_of_no_key_is_not_repeated(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/keys", '{"results": [], "next": null}')
    outcome = kt("stop", "key", "kt_cg_abcdef" + "0" * 40)
    assert outcome.code == 1
    assert outcome.err == (
        "kt: kt_cg_abcdef… is not one key: give its id (key_…); GET /v1/keys has it\n"
    )
