"""`kt tickets` and `kt shadow`: what they ask, and what they print of the answer."""

import json
from typing import Any

from tests.kt.conftest import Kt
from tests.kt.fake_api import FakeApi

TICKET: dict[str, Any] = {
    "id": "tkt_1",
    "team_id": "team_marketing",
    "user_id": None,
    "state": "open",
    "reason": "insufficient_balance",
    "missing": 0.05,
    "requests": 12,
    "waiting": 2,
    "last_at": "2026-04-01T00:00:00Z",
    "amount": None,
    "served": 0,
}


def test_open_tickets_are_listed(kt: Kt, api: FakeApi) -> None:
    page = {"results": [TICKET], "next": None, "previous": None}
    api.on("GET", "/v1/cost-tickets?state=open", json.dumps(page))
    outcome = kt("tickets", "list")
    assert outcome.out.splitlines() == [
        "ID     TEAM       USER  STATE  REASON                MISSING  REQUESTS  WAITING  LAST",
        "tkt_1  marketing  -     open   insufficient_balance    $0.05        12        2  "
        "2026-04-01T00:00:00Z",
    ]


def test_tickets_of_a_team_in_every_state(kt: Kt, api: FakeApi) -> None:
    page = {"results": [], "next": None, "previous": None}
    api.on("GET", "/v1/cost-tickets?team=marketing", json.dumps(page))
    outcome = kt("tickets", "list", "--state", "all", "--team", "marketing", "--json")
    assert (outcome.code, json.loads(outcome.out)) == (0, [])


def test_an_approval_says_what_it_moved(kt: Kt, api: FakeApi) -> None:
    decided = {**TICKET, "state": "approved", "amount": 0.05, "served": 2}
    api.on("POST", "/v1/cost-tickets/tkt_1/approve", json.dumps(decided))
    outcome = kt("tickets", "approve", "tkt_1")
    assert outcome.out == "Approved tkt_1: moved $0.05, 2 waiting requests went on\n"
    assert json.loads(api.requests[0]["body"]) == {"note": ""}
    assert len(api.requests[0]["once"]) == 36


def test_an_approval_of_too_little_says_what_is_still_missing(kt: Kt, api: FakeApi) -> None:
    left = {**TICKET, "amount": 0.0001, "missing": 0.00034, "waiting": 1}
    api.on("POST", "/v1/cost-tickets/tkt_1/approve", json.dumps(left))
    outcome = kt("tickets", "approve", "tkt_1", "--amount", "0.0001")
    assert outcome.out == (
        "tkt_1 stays open: moved $0.0001 so far, 0 waiting requests went on; "
        "still waiting: 1 request, missing $0.00034\n"
    )


def test_an_approval_sends_the_exact_amount_and_the_key(kt: Kt, api: FakeApi) -> None:
    api.on("POST", "/v1/cost-tickets/tkt_1/approve", json.dumps({**TICKET, "amount": 1}))
    kt(
        *("tickets", "approve", "tkt_1", "--amount", "0.000000001", "--note", "go"),
        *("--idempotency-key", "one", "--json"),
    )
    assert '"amount": 0.000000001' in api.requests[0]["body"]
    assert api.requests[0]["once"] == "one"


def test_an_amount_that_is_none_is_refused_before_anything_is_asked(kt: Kt, api: FakeApi) -> None:
    assert kt("tickets", "approve", "tkt_1", "--amount", "much").code == 1
    assert api.requests == []


def test_a_dismissal(kt: Kt, api: FakeApi) -> None:
    api.on("POST", "/v1/cost-tickets/tkt_1/dismiss", json.dumps(TICKET))
    outcome = kt("tickets", "dismiss", "tkt_1", "--note", "no budget")
    assert outcome.out == "Dismissed tkt_1\n"
    assert json.loads(api.requests[0]["body"]) == {"note": "no budget"}


def test_a_refusal_is_one_line(kt: Kt, api: FakeApi) -> None:
    error = {"error": {"type": "x", "code": "ticket_closed", "message": "It is approved already."}}
    api.on("POST", "/v1/cost-tickets/tkt_1/dismiss", json.dumps(error), 409)
    outcome = kt("tickets", "dismiss", "tkt_1")
    assert outcome.code == 1
    assert outcome.err == "kt: the API refused: It is approved already. (ticket_closed)\n"


def _tally(**changes: Any) -> dict[str, Any]:
    sums = {"requests": 5, "would_refuse": 3, "cost_passed": 1.5, "cost_refused": 6}
    return {**sums, **changes}


REPORT = {
    **_tally(),
    "since": "2026-03-14T00:00:00Z",
    "until": "2026-03-21T00:00:00Z",
    "first_at": "2026-03-14T02:00:00Z",
    "last_at": "2026-03-14T05:00:00Z",
    "by_code": [{"code": "insufficient_balance", **_tally(requests=3, cost_passed=0)}],
    "by_consumer": [{"team_id": "team_marketing", "consumer_group": "batch", **_tally()}],
    "by_model": [{"model": "gpt-4o", **_tally()}],
}


def test_the_shadow_report(kt: Kt, api: FakeApi) -> None:
    path = "/v1/shadow-report?team=marketing&since=2026-03-14T00%3A00%3A00Z"
    api.on("GET", path, json.dumps(REPORT))
    arguments = ("shadow", "report", "--team", "marketing", "--since", "2026-03-14T00:00:00Z")
    assert kt(*arguments).out.splitlines() == [
        "Period: 2026-03-14T00:00:00Z to 2026-03-21T00:00:00Z",
        "Requests: 5",
        "Would have been refused: 3",
        "Cost of what would have passed: $1.50",
        "Cost of what would have been refused: $6.00",
        "First: 2026-03-14T02:00:00Z",
        "Last: 2026-03-14T05:00:00Z",
        "",
        "CODE                  REQUESTS  WOULD REFUSE  COST PASSED  COST REFUSED",
        "insufficient_balance         3             3        $0.00         $6.00",
        "",
        "TEAM / GROUP       REQUESTS  WOULD REFUSE  COST PASSED  COST REFUSED",
        "marketing / batch         5             3        $1.50         $6.00",
        "",
        "MODEL   REQUESTS  WOULD REFUSE  COST PASSED  COST REFUSED",
        "gpt-4o         5             3        $1.50         $6.00",
    ]
    assert json.loads(kt(*arguments, "--json").out)["would_refuse"] == 3


def test_the_shadow_report_names_what_has_no_model_and_no_fractions_of_seconds(
    kt: Kt, api: FakeApi
) -> None:
    times = {"until": "2026-03-21T00:00:00.123456Z", "first_at": "2026-03-14T02:00:00.5Z"}
    found = {**REPORT, **times, "by_model": [{"model": "", **_tally()}]}
    since = "2026-03-14T00:00:00Z"
    api.on("GET", "/v1/shadow-report?since=2026-03-14T00%3A00%3A00Z", json.dumps(found))
    said = kt("shadow", "report", "--since", since).out.splitlines()
    assert said[0] == "Period: 2026-03-14T00:00:00Z to 2026-03-21T00:00:00Z"
    assert said[5] == "First: 2026-03-14T02:00:00Z"
    assert said[-1] == "(no model)         5             3        $1.50         $6.00"
