"""What the commands on the API ask, and what they print of the answer."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.kt.conftest import Kt
from tests.kt.fake_api import TOKEN, FakeApi

ENGINEERING = """{
  "team": "engineering", "period": {"start": "2026-04-01", "end": "2026-04-30"},
  "budget": 500, "spent": 0.0000171, "remaining": 499.9999829, "usage_percent": 0.00000342,
  "balance": 499.9999829, "burn_rate_per_day": 0.00000057, "drawn_from_organization": 0,
  "models": [
    {"model": "gpt-4o-mini", "cost": 0.0000171, "adjusted": 0, "tokens": 39, "requests": 1}
  ]
}"""
MARKETING = """{
  "team": "marketing", "period": {"start": "2026-04-01", "end": "2026-04-30"},
  "budget": 100, "spent": 0, "remaining": 100, "usage_percent": 0,
  "balance": 100, "burn_rate_per_day": 0, "drawn_from_organization": 0, "models": []
}"""


def event(number: int, **changes: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 14, "completion_tokens": 25, "total_tokens": 39}
    return {
        "id": f"req_{number}",
        "created_at": f"2026-04-01T00:00:0{number}Z",
        "consumer_group": "engineering",
        "model": "gpt-4o-mini",
        "verdict": "allow",
        "reason_code": None,
        "cost": 0.0000171,
        "usage": usage,
        **changes,
    }


def page(*events: dict[str, Any], following: str | None = None) -> str:
    return json.dumps({"results": events, "next": following, "previous": None})


BLOCKED = {
    "verdict": "block",
    "reason_code": "insufficient_balance",
    "cost": None,
    "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
}


def test_spend_of_a_team(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/spend?team=engineering", f'{{"results": [{ENGINEERING}]}}')
    outcome = kt("spend", "--team", "engineering")
    assert outcome.code == 0
    assert outcome.out == (
        "Team: engineering\n"
        "Period: 2026-04-01 to 2026-04-30\n"
        "Budget: $500.00\n"
        "Spent: $0.0000171\n"
        "Remaining: $499.9999829\n"
        "Usage: 0.00000342%\n"
        "Balance: $499.9999829 (team and its user wallets)\n"
        "Burn rate: $0.00000057 per day\n"
        "Breakdown by model:\n"
        "  gpt-4o-mini: $0.0000171 (39 tokens, 1 request)\n"
    )
    assert api.requests[0]["token"] == f"Bearer {TOKEN}"


def test_spend_names_the_adjustments_of_a_model(kt: Kt, api: FakeApi) -> None:
    adjusted = ENGINEERING.replace('"adjusted": 0', '"adjusted": -0.5')
    api.on("GET", "/v1/spend?team=engineering", f'{{"results": [{adjusted}]}}')
    assert kt("spend", "--team", "engineering").out.splitlines()[-1] == (
        "  gpt-4o-mini: $0.0000171 (39 tokens, 1 request, adjustments: -$0.50)"
    )


def test_spend_of_all_teams(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/spend", f'{{"results": [{ENGINEERING}, {MARKETING}]}}')
    assert kt("spend", "--all").out == (
        "Team         Budget   Spent       Remaining     Usage\n"
        "engineering  $500.00  $0.0000171  $499.9999829  0.00000342%\n"
        "marketing    $100.00  $0.00       $100.00       0.0%\n"
    )


def test_spend_as_json_is_exact(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/spend?team=engineering", f'{{"results": [{ENGINEERING}]}}')
    out = kt("spend", "--team", "engineering", "--json").out
    assert '"spent": 0.0000171' in out
    assert json.loads(out)["team"] == "engineering"


def test_address_and_token_of_the_policy_file(
    kt: Kt, api: FakeApi, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.delenv("KEEPTRUSTS_API_URL")
    monkeypatch.delenv("KEEPTRUSTS_API_TOKEN")
    monkeypatch.setenv("MY_TOKEN", "kt_live_mine")
    (tmp_path / "policy-config.yaml").write_text(f"api: {{url: '{api.url}', token_env: MY_TOKEN}}")
    api.on("GET", "/v1/spend", f'{{"results": [{MARKETING}]}}')
    assert kt("spend", "--all").code == 0
    assert api.requests[0]["token"] == "Bearer kt_live_mine"


def test_tail_prints_an_array_oldest_first(kt: Kt, api: FakeApi) -> None:
    newest_first = page(event(3, **BLOCKED), event(2), event(1))
    api.on("GET", "/v1/events?limit=3", newest_first)
    outcome = kt("events", "tail", "--last", "3", "--format", "json")
    assert outcome.code == 0
    assert '"cost": 0.0000171' in outcome.out
    events = json.loads(outcome.out, parse_float=Decimal)
    assert [e["id"] for e in events] == ["req_1", "req_2", "req_3"]
    assert (events[2]["cost"], events[2]["usage"]["total_tokens"]) == (None, 0)


def test_both_spellings_of_tail_mean_the_same(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/events?limit=1", page(event(1)))
    first = kt("events", "tail", "--last", "1", "--format", "json")
    assert kt("events", "tail", "--limit", "1", "--json").out == first.out


def test_tail_as_a_table(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/events?limit=2", page(event(2, **BLOCKED), event(1)))
    lines = kt("events", "tail", "--last", "2").out.splitlines()
    assert lines[0].split() == ["TIME", "GROUP", "MODEL", "VERDICT", "REASON", "TOKENS", "COST"]
    assert lines[1].split()[3:] == ["allow", "-", "39", "$0.0000171"]
    assert lines[2].split()[3:] == ["block", "insufficient_balance", "0", "-"]


def test_tail_asks_for_a_verdict(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/events?verdict=block&limit=10", page(event(1, **BLOCKED)))
    assert kt("events", "tail", "--verdict", "block").code == 0


def test_export_follows_the_cursor_without_leaving_the_configured_address(
    kt: Kt, api: FakeApi, tmp_path: Path
) -> None:
    following = "http://elsewhere.example/v1/events?cursor=abc"
    api.on("GET", "/v1/events?limit=100", page(event(2), following=following))
    api.on("GET", "/v1/events?cursor=abc", page(event(1, model="=cmd()")))
    outcome = kt("events", "export", "--output", "events.csv")
    assert outcome.code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "events.csv").read_text())))
    assert [row["id"] for row in rows] == ["req_2", "req_1"]
    assert rows[0]["cost"] == "0.0000171"
    assert rows[1]["model"] == "'=cmd()"


def test_export_as_lines_of_json(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/events?limit=100", page(event(2), event(1)))
    lines = kt("events", "export", "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["req_2", "req_1"]


MOVED = '{"amount": 0.01, "balance": 100.01, "wallet": "wal_1", "transactions": []}'


def test_allocate_sends_exact_money_once(kt: Kt, api: FakeApi) -> None:
    api.on("POST", "/v1/wallets/allocate", MOVED)
    outcome = kt("wallets", "allocate", "--team", "marketing", "--amount", "0.01", "--notes", "n")
    assert outcome.code == 0
    assert outcome.out == "Allocated $0.01; balance of wal_1: $100.01\n"
    (request,) = api.requests
    assert json.loads(request["body"], parse_float=Decimal) == {
        "team_id": "team_marketing",
        "amount": Decimal("0.01"),
        "currency": "USD",
        "description": "n",
    }
    assert len(request["once"]) == 36


def test_allocate_to_a_person_by_user_name(kt: Kt, api: FakeApi) -> None:
    people = [{"id": "user_2", "username": "membership"}, {"id": "user_1", "username": "member"}]
    api.on("GET", "/v1/users?search=member", json.dumps({"results": people, "next": None}))
    api.on("POST", "/v1/wallets/allocate", MOVED)
    command = ("wallets", "allocate", "--team", "engineering", "--user", "member")
    assert kt(*command, "--amount", "1", "--from", "engineering").code == 0
    assert json.loads(api.requests[-1]["body"]) == {
        "team_id": "team_engineering",
        "user_id": "user_1",
        "from": "team_engineering",
        "amount": 1,
        "currency": "USD",
    }


def test_unknown_person_is_an_error(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/users?search=nobody", '{"results": [], "next": null}')
    outcome = kt("stop", "user", "nobody")
    assert outcome.code == 1
    assert outcome.err == "kt: there is no user nobody: give a user name or an id (user_…)\n"


def test_reclaim_all(kt: Kt, api: FakeApi) -> None:
    api.on("POST", "/v1/wallets/reclaim", MOVED)
    assert kt("wallets", "reclaim", "--team", "team_marketing", "--amount", "all").code == 0
    body = json.loads(api.requests[0]["body"])
    assert body == {"team_id": "team_marketing", "amount": "all", "currency": "USD"}


def test_credit_as_json(kt: Kt, api: FakeApi) -> None:
    api.on("POST", "/v1/wallets/credit", MOVED)
    outcome = kt("wallets", "credit", "--amount", "5", "--notes", "grant", "--json")
    assert json.loads(outcome.out)["wallet"] == "wal_1"
    body = json.loads(api.requests[0]["body"])
    assert body == {"amount": 5, "currency": "USD", "description": "grant"}


def test_wallets_as_a_table(kt: Kt, api: FakeApi) -> None:
    wallet = {
        "id": "wal_1",
        "scope": "team",
        "name": "Engineering",
        "balance": 499.5,
        "reserved": 0.5,
        "total_allocated": 500,
        "total_spent": 0,
        "status": "healthy",
        "frozen": True,
    }
    api.on("GET", "/v1/wallets", json.dumps({"results": [wallet], "next": None}))
    assert kt("wallets", "list").out == (
        "SCOPE  NAME         BALANCE  RESERVED  ALLOCATED  SPENT  STATUS           ID\n"
        "team   Engineering  $499.50     $0.50    $500.00  $0.00  healthy, frozen  wal_1\n"
    )


def test_stop_and_resume_a_team(kt: Kt, api: FakeApi) -> None:
    api.on("POST", "/v1/stops", '{"id": "stop_1"}', status=201)
    assert kt("stop", "team", "engineering", "--reason", "loop").code == 0
    assert json.loads(api.requests[0]["body"]) == {
        "scope": "team",
        "target": "team_engineering",
        "reason": "loop",
        "cut": False,
    }
    stops = json.dumps({"results": [{"id": "stop_1"}], "next": None})
    api.on("GET", "/v1/stops?scope=team&target=team_engineering", stops)
    api.on("DELETE", "/v1/stops/stop_1", "", status=204)
    assert kt("resume", "team", "engineering").code == 0
    assert api.requests[-1]["method"] == "DELETE"


def test_resume_of_what_is_not_stopped(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/stops?scope=model&target=gpt-4o-mini", '{"results": [], "next": null}')
    outcome = kt("resume", "model", "gpt-4o-mini")
    assert (outcome.code, outcome.err) == (1, "kt: model gpt-4o-mini is not stopped\n")
