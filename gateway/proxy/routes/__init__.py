"""Every route that reaches a provider."""

from gateway.proxy.route import Routes
from gateway.proxy.routes import chat, completions, embeddings, messages, moderations, responses


def all_routes() -> Routes:
    """A new registry with all routes of this version."""
    routes = Routes()
    routes.register(chat.ROUTE)
    routes.register(completions.ROUTE)
    routes.register(embeddings.ROUTE)
    routes.register(responses.ROUTE)
    routes.register(moderations.ROUTE)
    routes.register(messages.ROUTE)
    routes.register(messages.COUNT_TOKENS)
    return routes
