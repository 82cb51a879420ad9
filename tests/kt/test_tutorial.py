"""Every command of the tutorial on cost tracking, beside `kt up --no-gateway` and the local
model."""

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from keeptrusts.supervisor import ports
from tests.kt.processes import environment, kt, running

pytestmark = pytest.mark.slow
FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "policies" / "tutorial-002.yaml"
START_LINES = """\
INFO keeptrusts::gateway Cost tracking: enabled, wallet_enforcement=true
INFO keeptrusts::gateway Budget alerts: 50%→notify, 80%→notify, 95%→notify, 100%→block
INFO keeptrusts::gateway Gateway ready
"""
PYTHON_KT = (sys.executable, "-m", "keeptrusts.kt")


@dataclass(frozen=True)
class Tutorial:
    """The reader's shell: a folder, its environment, and where things run."""

    folder: Path
    env: dict[str, str]
    api: str
    gateway: str
    gateway_output: str

    def kt(self, *arguments: str) -> str:
        outcome = kt(*arguments, cwd=self.folder, env=self.env)
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout

    def post(self, path: str, body: str) -> Any:
        """`curl -X POST` with the token; the body as the tutorial writes it."""
        return self._call(self.api + path, body, {"Authorization": f"Bearer {self.token}"})[1]

    def get(self, path: str) -> Any:
        return self._call(self.api + path, None, {"Authorization": f"Bearer {self.token}"})[1]

    def complete(self, key: str, content: str) -> tuple[int, Any]:
        """`curl` to the gateway as a consumer group: status and answer."""
        message = {"role": "user", "content": content}
        body = json.dumps({"model": "gpt-4o-mini", "messages": [message]})
        return self._call(f"{self.gateway}/v1/chat/completions", body, {"X-Consumer-Group": key})

    @property
    def token(self) -> str:
        return self.env["KEEPTRUSTS_API_TOKEN"]

    def _call(self, url: str, body: str | None, headers: dict[str, str]) -> tuple[int, Any]:
        data = None if body is None else body.encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read(), parse_float=Decimal)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read(), parse_float=Decimal)


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tutorial]:
    """The tutorial up to step 4: prices, allocations, policy file, gateway."""
    folder = tmp_path_factory.mktemp("tutorial")
    model_port, port, gateway_port = ports.unused(), ports.unused(), ports.unused()
    serve = ("model", "serve", "--alias", "gpt-4o-mini", "--port", str(model_port))
    up = ("up", "--no-gateway", "--port", str(port))
    with (
        running(*PYTHON_KT, *serve, cwd=folder) as model,
        running(*PYTHON_KT, *up, cwd=folder) as all,
    ):
        all.until_says("Keeptrusts ready: ", seconds=150)
        model.until_says("Model ready: ")
        api = f"http://localhost:{port}"
        demo = json.loads((folder / "data" / "demo.json").read_text())
        env = environment(
            KEEPTRUSTS_API_URL=api,
            KEEPTRUSTS_API_TOKEN=demo["api_token"],
            OPENAI_API_KEY="sk-local",
            OPENAI_BASE_URL=f"http://127.0.0.1:{model_port}/v1",
        )
        policy = FIXTURE.read_text().replace("http://localhost:8080", api)
        (folder / "policy-config.yaml").write_text(policy)
        run = ("gateway", "run", "--policy-config", "policy-config.yaml", "--port")
        with running(*PYTHON_KT, *run, str(gateway_port), cwd=folder, env=env) as gateway:
            gateway.until_says("Gateway ready")
            url = f"http://localhost:{gateway_port}"
            yield Tutorial(folder, env, api, url, gateway.text())


def test_step_1_model_pricing(tutorial: Tutorial) -> None:
    tutorial.post(
        "/v1/model-pricing",
        '{"model": "gpt-4o-mini", "provider": "openai",'
        ' "input_cost_per_1k_tokens": 0.00015, "output_cost_per_1k_tokens": 0.0006}',
    )
    prices = tutorial.get("/v1/model-pricing")
    (price,) = [row for row in prices if row["model"] == "gpt-4o-mini"]
    assert price["input_cost_per_1k_tokens"] == Decimal("0.00015")
    assert price["output_cost_per_1k_tokens"] == Decimal("0.0006")


def test_step_2_allocate(tutorial: Tutorial) -> None:
    for team, amount, after in (("support", "500.00", 1300), ("support", "100.00", 1400)):
        moved = tutorial.post(
            "/v1/wallets/allocate",
            f'{{"team_id": "team_{team}", "amount": {amount}, "currency": "USD",'
            ' "description": "Monthly LLM budget - April 2026"}',
        )
        assert moved["balance"] == after


def test_steps_3_and_4_lint_and_start(tutorial: Tutorial) -> None:
    lint = tutorial.kt("policy", "lint", "--file", "policy-config.yaml")
    assert lint.splitlines()[-1].startswith("policy-config.yaml: ok")
    assert tutorial.gateway_output == START_LINES


def test_steps_5_and_6_a_request_and_what_it_cost(tutorial: Tutorial) -> None:
    status, answer = tutorial.complete(
        "kt_cg_engineering_abc123", "Write a short haiku about cloud computing."
    )
    assert (status, answer["model"]) == (200, "gpt-4o-mini")
    usage = answer["usage"]
    cost = usage["prompt_tokens"] * Decimal("0.00000015")
    cost += usage["completion_tokens"] * Decimal("0.0000006")
    shown = f"${cost.normalize():f}"
    spend = tutorial.kt("spend", "--team", "engineering")
    assert spend.startswith("Team: engineering\nPeriod: ")
    assert re.search(r"^Period: \d{4}-\d\d-01 to \d{4}-\d\d-\d\d$", spend, re.MULTILINE)
    assert f"\nBudget: $500.00\nSpent: {shown}\nRemaining: $499.99" in spend
    tokens = usage["total_tokens"]
    assert f"Breakdown by model:\n  gpt-4o-mini: {shown} ({tokens:,} tokens, 1 request)\n" in spend
    every = tutorial.kt("spend", "--all").splitlines()
    assert every[0].split() == ["Team", "Budget", "Spent", "Remaining", "Usage"]
    assert [line.split()[0] for line in every[1:]] == ["engineering", "marketing", "support"]


def test_steps_7_and_8_the_budget_refuses_and_the_events_say_so(tutorial: Tutorial) -> None:
    tutorial.kt("wallets", "reclaim", "--team", "marketing", "--amount", "all")
    tutorial.post(
        "/v1/wallets/allocate", '{"team_id": "team_marketing", "amount": 0.001, "currency": "USD"}'
    )
    status, answer = tutorial.complete(
        "kt_cg_marketing_def456", "Write a long essay about every country in the world."
    )
    assert status == 402
    error = answer["error"]
    assert error["message"] == "Budget exceeded for consumer group: marketing"
    assert (error["type"], error["code"]) == ("budget_exceeded", "insufficient_balance")
    details = {name: error["details"][name] for name in ("team", "budget", "spent")}
    assert details == {"team": "marketing", "budget": Decimal("0.001"), "spent": 0}
    assert error["details"]["estimated_cost"] > Decimal("0.001")
    events = json.loads(tutorial.kt("events", "tail", "--last", "3", "--format", "json"))
    last = events[-1]
    assert (last["consumer_group"], last["model"]) == ("marketing", "gpt-4o-mini")
    assert (last["cost"], last["usage"]["total_tokens"]) == (None, 0)
