"""`kt cache`: the response cache of an organisation."""

import typer

from keeptrusts.kt import output

commands = typer.Typer(help="The response cache.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """The response cache."""


@commands.command("purge")
def purge(
    organization: str = typer.Option(
        "", help="Its id (org_…); needed only with a token for several organizations."
    ),
) -> None:
    """Never answer again with what is in the response cache now."""
    from keeptrusts.kt.client import Client

    body = {"organization_id": organization} if organization else {}
    answer = Client().post("/v1/cache/purge", body)
    output.line(
        f"Purged the response cache of {answer['organization_id']} "
        f"(generation {answer['generation']})"
    )
