"""The description of the API: complete, true, and shown under a strict policy."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from keeptrusts.wsgi import application
from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The OpenAPI document; making it must not warn."""
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    call_command("spectacular", "--fail-on-warn", "--validate", "--format=openapi-json",
                 f"--file={file}")  # fmt: skip
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_every_operation_describes_its_errors(description: dict[str, Any]) -> None:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            for status in ("401", "403", "404", "422", "500"):
                answer = operation["responses"][status]
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}, (path, method)


def test_every_operation_takes_a_token_or_a_session(description: dict[str, Any]) -> None:
    for methods in description["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"bearer": []}, {"session": []}]


def test_what_moves_money_takes_an_idempotency_key(description: dict[str, Any]) -> None:
    keyed = {
        path
        for path, methods in description["paths"].items()
        for operation in methods.values()
        if any(part["name"] == "Idempotency-Key" for part in operation.get("parameters", ()))
    }
    assert keyed == {
        "/v1/wallets/credit", "/v1/wallets/allocate", "/v1/wallets/allocate/bulk",
        "/v1/wallets/reclaim", "/v1/wallets/adjust", "/v1/wallets/users",
        "/v1/cost-tickets/{ticket_id}/approve",
    }  # fmt: skip


def test_same_origin_routes_are_not_described(description: dict[str, Any]) -> None:
    assert all(path.startswith("/v1/") for path in description["paths"])


def test_the_docs_page_runs_only_our_own_scripts(db: None) -> None:
    answer = Caller(None).get("docs")
    policy = answer.headers["Content-Security-Policy"]
    assert answer.status == 200
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
    script = Caller(None).get("docs", script="")
    assert script.headers["Content-Type"].startswith("application/javascript")


@pytest.mark.parametrize("accept", ["application/vnd.oai.openapi", "application/json"])
def test_the_schema_is_served_to_everybody(db: None, accept: str) -> None:
    answer = Caller(None).call("GET", "schema", Accept=accept)
    assert answer.status == 200
    assert "/v1/wallets/allocate" in answer.text


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Calls of the plain WSGI application stay in the transaction of the test."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.slow
@pytest.mark.usefixtures("one_connection")
def test_no_generated_call_breaks_the_api(world: World, description: dict[str, Any]) -> None:
    """Schemathesis, in process: no 5xx, every answer as described. A bounded number of calls."""
    factories.spend(world.wallet(world.engineering), 1)
    platform = factories.make_token(world.acme, role="admin")
    schema = schemathesis.openapi.from_dict(description)
    schema.app = application
    checks = (
        not_a_server_error, status_code_conformance, content_type_conformance,
        response_schema_conformance,
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {platform.secret}"}
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        def attempt(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=checks)

        _bounded(attempt, operation.as_strategy())
        tried += 1
    assert tried == sum(len(methods) for methods in description["paths"].values())


def _bounded(attempt: Any, cases: Any) -> None:
    from hypothesis import given

    run = given(case=cases)(attempt)
    settings(
        max_examples=6, database=None, deadline=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(run)()  # fmt: skip
