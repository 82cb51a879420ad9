"""The processes of one machine, and the policy file they share."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from keeptrusts.kt.errors import Failure
from keeptrusts.model_server.weights import MODEL_NAME, PROVIDER
from keeptrusts.supervisor import probes
from keeptrusts.supervisor.process import Program

if TYPE_CHECKING:
    from keeptrusts.kt.machine import Plan

HOST = "127.0.0.1"
HEADER = """\
# Written by `kt up` at every start: changes are lost. To use a file of your own, start
# `kt up --no-gateway` and, beside it, `kt gateway run --policy-config YOUR-FILE`.
"""
# The small model answers four at a time; others wait in its queue.
LOCAL_TIMEOUTS = {"first_byte": 300.0, "idle": 120.0, "total": 900.0}


def upstream_address(upstream: str) -> str:
    """`--upstream` as the address of an API (`…/v1` where it names no path); empty stays empty."""
    if not upstream:
        return ""
    parts = urlsplit(upstream)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure(f"--upstream {upstream!r} is no http:// or https:// address")
    path = parts.path.rstrip("/") or "/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def write_policy(path: Path, *, upstream: str, model_port: int | None) -> None:
    """Write the gateway's policy file whole: one target, wallets enforced, alerts that only
    notify."""
    import yaml

    target = _local(model_port) if model_port else _remote(upstream)
    alerts = [{"threshold_percent": step, "action": "notify"} for step in (50, 80, 95)]
    document = {
        "version": "1",
        "providers": {"targets": [target]},
        "cost_tracking": {"enabled": True, "wallet_enforcement": True, "budget_alerts": alerts},
    }
    temporary = path.with_suffix(".yaml.new")
    temporary.write_text(HEADER + yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    temporary.replace(path)


def _local(port: int | None) -> dict[str, Any]:
    return {
        "id": PROVIDER,
        "provider": PROVIDER,
        "base_url": f"http://{HOST}:{port}/v1",
        "models": [MODEL_NAME],
        "timeouts": LOCAL_TIMEOUTS,
    }


def _remote(address: str) -> dict[str, Any]:
    """Any model name passes and is priced from the openai catalogue."""
    target: dict[str, Any] = {"id": "upstream", "provider": "openai", "base_url": address}
    if os.environ.get("OPENAI_API_KEY"):
        target["secret_key_ref"] = {"env": "OPENAI_API_KEY"}
    return target


def programs(plan: "Plan", directory: Path, model_port: int | None) -> list[Program]:
    """Every process, in the order in which it is started and stopped."""
    logs = directory / "logs"
    found = [_web(plan.port, logs), _worker(directory, logs)]
    if model_port:
        found.insert(0, _model(model_port, logs))
    if plan.gateway_port:
        found.append(_gateway(plan.gateway_port, directory, logs))
    return found


def _model(port: int, logs: Path) -> Program:
    return Program(
        name="model",
        module="keeptrusts.kt",
        arguments=("model", "serve", "--port", str(port)),
        ready=lambda: probes.answers(HOST, port, "/v1/models"),
        stop_seconds=5,
        log=logs / "model.log",
    )


def _web(port: int, logs: Path) -> Program:
    return Program(
        name="web",
        module="keeptrusts.kt.web",
        arguments=(HOST, str(port)),
        ready=lambda: probes.answers(HOST, port, "/readyz"),
        stop_seconds=15,
        log=logs / "web.log",
    )


def _worker(directory: Path, logs: Path) -> Program:
    _make_queues(directory)
    options = (
        "--pool=threads",
        "--concurrency=4",
        "--loglevel=WARNING",
        "--without-gossip",
        "--without-mingle",
    )
    return Program(
        name="worker",
        module="celery",
        arguments=("-q", "-A", "keeptrusts.celery", "worker", "-B", *options),
        stop_seconds=15,
        log=logs / "worker.log",
    )


def _make_queues(directory: Path) -> None:
    """The folders of the embedded broker must be there before anybody sends or receives."""
    for name in ("queue", "control"):
        (directory / "broker" / name).mkdir(mode=0o700, parents=True, exist_ok=True)


def _gateway(port: int, directory: Path, logs: Path) -> Program:
    file = directory / "policy-config.yaml"
    return Program(
        name="gateway",
        module="keeptrusts.kt",
        arguments=("gateway", "run", "--policy-config", str(file), "--port", str(port)),
        ready=lambda: probes.answers(HOST, port, "/readyz"),
        stop_seconds=45,
        log=logs / "gateway.log",
    )
