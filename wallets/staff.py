"""Who is signed in to the admin, and which organisations they may see there."""

from django.http import HttpRequest

from keeptrusts.lib.client_address import client_address
from wallets import permissions, tenancy
from wallets.permissions import Action
from wallets.tenancy import Actor

_ATTRIBUTE = "_keeptrusts_actor"


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person; read once per request."""
    actor: Actor | None = getattr(request, _ATTRIBUTE, None)
    # After a login within the request it is somebody else.
    if actor is None or actor.user != request.user:
        if not request.user.is_authenticated:
            return tenancy.Actor(kind=tenancy.Kind.USER, public_id="")
        actor = tenancy.of_user(request.user, address=client_address(request) or None)
        setattr(request, _ATTRIBUTE, actor)
    return actor


def visible(request: HttpRequest, action: Action) -> frozenset[int]:
    """Organisations whose rows a member of staff sees; not asked for platform administrators."""
    return permissions.staffed(actor_of(request), action)
