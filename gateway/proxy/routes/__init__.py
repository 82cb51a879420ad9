"""Every route that reaches a provider."""

from gateway.proxy.route import Routes
from gateway.proxy.routes import chat


def all_routes() -> Routes:
    """A new registry with all routes of this version."""
    routes = Routes()
    routes.register(chat.ROUTE)
    return routes
