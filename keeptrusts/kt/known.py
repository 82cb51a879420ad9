"""What a policy file is checked against: the teams, organisations and tokens of the database."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gateway import policy


def names() -> "policy.Known":
    """Every team and organisation, by slug and public id. Needs a connected database."""
    from gateway import policy
    from wallets.models import Organization, Team

    teams = Team.objects.filter(archived_at=None).values_list("slug", flat=True)
    organizations = Organization.objects.values_list("slug", "public_id")
    return policy.Known(list(teams), [name for row in organizations for name in row])


def warn_of_token(loaded: "policy.PolicyFile") -> None:
    """Say on stderr when the API token of the file is set but not valid here."""
    from wallets import keys

    token, api = loaded.api_token, loaded.document.api
    if api is not None and token and keys.authenticate(token) is None:
        typer.echo(
            f"kt: warning: {api.token_env} is set, but not to a valid API token of this database",
            err=True,
        )
