"""What one run stands on: an empty database, an upstream, and gateways in front of it."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import database
from bench.gateway.processes import Child, output_of, running
from keeptrusts.supervisor import ports

PATHS = ("direct", "off", "on", "hit", "mixed", "long")
TEAMS = 50
KEY = "kt_cg_benchmark_0123456789abcdef"
SETTINGS = {"DJANGO_SETTINGS_MODULE": "keeptrusts.settings", "KEEPTRUSTS_ENV": "embedded"}


@dataclass
class Site:
    """Everything one run stands on."""

    url: str
    directory: Path
    stub: Child
    stub_port: int
    teams: list[str]
    seconds: float
    answered: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PATHS, 0))

    @property
    def environment(self) -> dict[str, str]:
        """Settings of the gateway processes and of those that look at its database."""
        return SETTINGS | {"DATABASE_URL": self.url, "KEEPTRUSTS_DATA": str(self.directory)}


@dataclass
class Gateway:
    """A running gateway, or the stub itself."""

    path: str
    port: int
    child: Child


@contextmanager
def open_site(seconds: float) -> Iterator[Site]:
    """A fresh database and a stub upstream for the block."""
    with ExitStack() as stack:
        url = stack.enter_context(database.scratch(stack.enter_context(database.server())))
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="keeptrusts-bench-"))
        stub = stack.enter_context(running("bench.gateway.stub"))
        found = Site(url, Path(place), stub, int(stub.line()), [], seconds)
        prepared = output_of("bench.gateway.books", "prepare", **found.environment)
        found.teams = json.loads(prepared)["teams"]
        yield found


@contextmanager
def gateway(site: Site, path: str, workers: int) -> Iterator[Gateway]:
    """A gateway with so many processes for the block; its log is shown when it fails."""
    policy = site.directory / f"policy-{path}.yaml"
    # JSON is YAML.
    policy.write_text(json.dumps(_policy(site, path)))
    port = ports.unused()
    log = site.directory / f"gateway-{path}-{workers}.log"
    command = ("keeptrusts.kt", "gateway", "run", "--policy-config", str(policy))
    options = ("--port", str(port), "--workers", str(workers), "--data", str(site.directory))
    environment = site.environment | {"LOG_LEVEL": "WARNING", "OPENAI_API_KEY": "unused"}
    with (
        log.open("wb") as errors,
        running(*command, *options, stderr=errors, **environment) as child,
    ):
        try:
            child.wait_for("Gateway ready")
            yield Gateway(path, port, child)
        except BaseException:
            print(log.read_text()[-2000:])
            raise


def _policy(site: Site, path: str) -> dict[str, Any]:
    target = {
        "id": "stub",
        "provider": "openai",
        "base_url": f"http://127.0.0.1:{site.stub_port}/v1",
    }
    teams = site.teams if path == "mixed" else site.teams[:1]
    groups = [
        {"name": f"bench-{n}", "api_key": key, "wallet_team_id": team}
        for n, (key, team) in enumerate(zip(keys(len(teams)), teams, strict=True))
    ]
    return {
        "version": "1",
        "organization": "bench",
        "providers": {"targets": [target]},
        "consumer_groups": groups,
        "cost_tracking": {"wallet_enforcement": path != "off"},
        "cache": {"enabled": path == "hit"},
    }


def keys(count: int) -> list[str]:
    """The keys of the first teams; the first one's wallet is the hot one."""
    return [KEY if n == 0 else f"{KEY}{n:04d}" for n in range(count)]
