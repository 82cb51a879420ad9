"""From what people type (names) to what the API takes (public ids)."""

from typing import TYPE_CHECKING

from keeptrusts.kt.errors import Failure

if TYPE_CHECKING:
    from keeptrusts.kt.client import Client

SECRETS = ("kt_cg_", "kt_user_")
SHOWN_DIGITS = 6  # of a secret: as many as its key is listed with


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


def key_id(client: "Client", target: str) -> str:
    """The id of the key that a secret belongs to; an id stays. The secret itself is not sent.

    Raises Failure where no key, or more than one, begins like it.
    """
    if not target.startswith(SECRETS):
        return target
    found = [key["id"] for key in client.pages("/v1/keys") if _begins(target, key["prefix"])]
    if len(found) != 1:
        raise Failure(f"{shown(target)} is not one key: give its id (key_…); GET /v1/keys has it")
    return str(found[0])


def _begins(secret: str, prefix: str) -> bool:
    return bool(prefix) and secret.startswith(prefix)


def shown(target: str) -> str:
    """What may stand on a screen: of a secret only the beginning."""
    kind = next((kind for kind in SECRETS if target.startswith(kind)), None)
    return target if kind is None else f"{target[: len(kind) + SHOWN_DIGITS]}…"
