"""One machine: prepares the data directory and the database, then supervises every process."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from keeptrusts.kt import database, locks, myself, output
from keeptrusts.kt.errors import Failure
from keeptrusts.model_server.weights import MODEL_NAME
from keeptrusts.supervisor import ports
from keeptrusts.supervisor.supervisor import Supervisor

if TYPE_CHECKING:
    from keeptrusts.demo import Demo

HOST = "127.0.0.1"
LOCK_FILE = "up.lock"
POLICY_FILE = "policy-config.yaml"
DEMO_FILE = "demo.json"


@dataclass(frozen=True)
class Plan:
    """What `kt up` was asked for; `gateway_port` None leaves the gateway to somebody else."""

    data: Path | None
    port: int
    gateway_port: int | None
    upstream: str
    demo: bool


def run(plan: Plan) -> None:
    """Start everything and keep it running until SIGINT or SIGTERM.

    Raises Failure or PortUnavailable before anything is started when it cannot be, and ChildFailed
    when a process does not start or crashes again and again.
    """
    from keeptrusts.kt import programs

    upstream = programs.upstream_address(plan.upstream)
    if upstream and not os.environ.get("OPENAI_API_KEY"):
        _report("warning: OPENAI_API_KEY is not set: --upstream is called without a key")
    directory = _claim(plan)
    os.umask(0o077)  # the database and the logs are for their owner only
    _report(f"preparing {directory}")
    demo = _prepare(plan)
    model_port = ports.unused(HOST) if plan.gateway_port and not upstream else None
    if plan.gateway_port:
        programs.write_policy(directory / POLICY_FILE, upstream=upstream, model_port=model_port)
    wanted = programs.programs(plan, directory, model_port)
    with Supervisor(wanted, report=_report) as supervisor:
        _report(f"starting {', '.join(p.name for p in wanted)}; logs in {directory / 'logs'}")
        supervisor.start()
        if supervisor.wait_ready():
            _announce(plan, demo, directory, local=model_port is not None)
            supervisor.run()


def _claim(plan: Plan) -> Path:
    """The data directory, locked; raises before anything is written when it or a port is taken."""
    if plan.port == plan.gateway_port:
        raise Failure(f"console and gateway cannot share port {plan.port}: give two ports")
    ports.require_free(HOST, plan.port)
    if plan.gateway_port:
        ports.require_free(HOST, plan.gateway_port)
    directory = database.data_directory(plan.data)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"{directory} cannot be made: {error.strerror}") from error
    locks.hold(directory / LOCK_FILE, f"another `kt up` runs on {directory}: stop it first")
    return directory


def _prepare(plan: Plan) -> "Demo | None":
    """Bring the database up to date and create the demo once; leaves no connection open."""
    os.environ.setdefault("KEEPTRUSTS_PUBLIC_URL", f"http://{HOST}:{plan.port}")
    database.setup()
    database.require_answer()
    from django.core.management import call_command

    from keeptrusts.demo import prices

    try:
        call_command("migrate", verbosity=0, interactive=False)
        prices.price_local_model()
        return _demo() if plan.demo else None
    finally:
        database.disconnect()


def _demo() -> "Demo | None":
    from django.conf import settings

    from keeptrusts import demo

    return demo.create_once(settings.DATA_DIR)


def _announce(plan: Plan, demo: "Demo | None", directory: Path, *, local: bool) -> None:
    if demo is not None:
        from keeptrusts.demo.table import show

        show(
            demo,
            console_url=f"http://{HOST}:{plan.port}",
            gateway_url=f"http://{HOST}:{plan.gateway_port}" if plan.gateway_port else None,
            model=MODEL_NAME if local else None,
            kt=myself.command(),
        )
    _say_where_secrets_are(plan, directory / DEMO_FILE)
    gateway = f" gateway http://{HOST}:{plan.gateway_port}" if plan.gateway_port else ""
    output.line(f"Keeptrusts ready: console http://{HOST}:{plan.port}{gateway}")


def _say_where_secrets_are(plan: Plan, file: Path) -> None:
    if plan.demo and file.is_file():
        output.line(f"Passwords, keys and tokens of the demo: {file}")


def _report(text: str) -> None:
    typer.echo(f"kt: {text}", err=True)
