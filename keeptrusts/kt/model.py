"""`kt model`: the local model alone."""

import typer

from keeptrusts.kt.errors import Failure

commands = typer.Typer(no_args_is_help=True, help="The local model.")


@commands.callback()
def _model() -> None:
    """A small real language model on this machine, without a key."""


@commands.command("serve")
def serve(
    port: int = typer.Option(41003, min=1, max=65535, help="Port on 127.0.0.1."),
    alias: str = typer.Option("", help="Name the model answers to, for example gpt-4o-mini."),
    echo: bool = typer.Option(False, help="The echo model: repeats what it is told."),
) -> None:
    """Serve the local model with an OpenAI-compatible API until it is interrupted."""
    from keeptrusts.model_server.serve import serve as run

    try:
        run(port=port, name=alias or None, echo=echo)
    except RuntimeError as error:
        raise Failure(f"the local model cannot be served: {error}") from error
