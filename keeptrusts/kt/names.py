"""From what people type (names) to what the API takes (public ids)."""

from typing import TYPE_CHECKING

from keeptrusts.kt.errors import Failure

if TYPE_CHECKING:
    from keeptrusts.kt.client import Client


def team_id(name: str) -> str:
    """`team_engineering` for `engineering`."""
    return name if name.startswith("team_") else f"team_{name}"


def user_id(client: "Client", name: str) -> str:
    """The id of the person with this user name; an id stays. Raises Failure for nobody."""
    if name.startswith("user_"):
        return name
    for user in client.pages("/v1/users", {"search": name}):
        if user["username"] == name:
            return str(user["id"])
    raise Failure(f"there is no user {name}: give a user name or an id (user_…)")


def group_id(client: "Client", name: str) -> str:
    """The id of the consumer group of this name; an id stays. Raises Failure for none."""
    if name.startswith("grp_"):
        return name
    for group in client.pages("/v1/consumer-groups", {"name": name}):
        return str(group["id"])
    raise Failure(f"there is no consumer group {name}: give its name or its id (grp_…)")
