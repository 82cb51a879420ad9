"""`kt init`: a policy file to start from."""

from pathlib import Path
from typing import Annotated

import typer

from keeptrusts.kt import myself, output
from keeptrusts.kt.errors import Failure

TEMPLATE = """\
# Keeptrusts gateway. Check it with: kt policy lint --file {name}
# Run it with: kt gateway run --policy-config {name}
version: '1'
providers:
  targets:
    - id: openai
      provider: openai
      secret_key_ref: {{env: OPENAI_API_KEY}}
consumer_groups:
  # A key that teams send as X-Consumer-Group or as their bearer token, and the wallet that pays.
  - name: engineering
    api_key_ref: {{env: ENGINEERING_GATEWAY_KEY}}
    wallet_team_id: team_engineering
cost_tracking:
  enabled: true
  wallet_enforcement: true
  budget_alerts:
    - {{threshold_percent: 80, action: notify}}
api:
  url: http://localhost:8080
  token_env: KEEPTRUSTS_API_TOKEN
"""


def init(
    file: Annotated[Path, typer.Option(help="Where to write it.")] = Path("policy-config.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a policy file to start from."""
    if file.exists() and not force:
        raise Failure(f"{file} is there already: give another --file, or --force to replace it")
    file.write_text(TEMPLATE.format(name=file), encoding="utf-8")
    output.line(f"Wrote {file}. Next: {myself.command()} policy lint --file {file}")
