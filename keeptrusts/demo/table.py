"""Shows the demo, once."""

from rich.console import Console
from rich.table import Table

from keeptrusts.demo.create import ADMIN
from keeptrusts.demo.secrets import Demo

WIDTH = 110
PEOPLE_NOTE = (
    "Admin and billing sign in to the console. Console pages for leads and members come later: "
    "use the gateway key, and the API token for /v1."
)
MODEL_NOTE = "The local model is real but tiny (135M parameters): do not expect sense from it."


def show(
    demo: Demo, *, console_url: str, gateway_url: str | None, model: str | None, kt: str = "kt"
) -> None:
    """Print who can sign in, which keys pay from which wallet, and a first request to try.

    `gateway_url` and `model` are None where no gateway of ours, or no model of ours, runs; `kt` is
    what to type for it.
    """
    # Keys are copied from here: never cut, whatever the width of the screen.
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(_people(demo))
    console.print(PEOPLE_NOTE, markup=False, soft_wrap=True)
    console.print(_keys(demo))
    for line in _first_steps(demo, console_url, gateway_url, model, kt):
        console.print(line, markup=False, soft_wrap=True)


def _people(demo: Demo) -> Table:
    table = Table(title="Demo organisation acme: people", title_justify="left")
    for heading in ("Username", "Password", "Gateway key"):
        table.add_column(heading, no_wrap=True)
    table.add_row(demo.admin[0], demo.admin[1], "")
    for name, person in demo.users.items():
        table.add_row(name, person.password, person.key or "")
    return table


def _keys(demo: Demo) -> Table:
    table = Table(title="Tokens, and keys of programs", title_justify="left")
    table.add_column("For", no_wrap=True)
    table.add_column("Key", no_wrap=True)
    table.add_row("API token (organisation admin)", demo.api_token)
    for name, person in demo.users.items():
        if person.token:
            table.add_row(f"API token of {name}", person.token)
    for name, key in demo.consumer_groups.items():
        table.add_row(f"consumer group {name}", key)
    return table


def _first_steps(
    demo: Demo, console_url: str, gateway_url: str | None, model: str | None, kt: str
) -> list[str]:
    lines = [
        f"Sign in as {ADMIN}: {console_url}/admin/",
        f"export KEEPTRUSTS_API_URL={console_url} KEEPTRUSTS_API_TOKEN={demo.api_token}",
    ]
    if gateway_url and model:
        key = demo.consumer_groups["engineering"]
        body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
        lines += [
            f"curl {gateway_url}/v1/chat/completions -H 'Authorization: Bearer {key}' "
            f"-H 'Content-Type: application/json' -d '{body}'",
            f"{kt} spend --team engineering",
            MODEL_NOTE,
        ]
    return lines
