"""What a route is: how to read its request, count its tokens and read its usage. Nothing else.

The life of a request is in ``life.py`` and the same for all routes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.pricing.usage import Reading
from gateway.tokens import Estimate

Request = dict[str, Any]


class UnpricedRoute(TypeError):
    """A route that nobody could pay for."""


class Stream(Protocol):
    """Reads the events of one streamed answer while they pass."""

    done: bool
    delivered: bool
    usage: Reading | None
    error: Any

    def feed(self, block: bytes) -> bytes:
        """Look into whole events; what the client gets of them."""

    def text(self) -> str:
        """Everything that was produced so far, for counting."""


class Price(Protocol):
    """The price rule of a route: upper bounds of a request, before it is sent."""

    def __call__(
        self,
        request: Mapping[str, Any],
        model: str,
        *,
        default_max_output_tokens: int,
        official: bool,
    ) -> Estimate:
        """Raises ``InvalidRequest`` naming the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route that reaches a provider. ``path`` is ours, ``upstream_path`` follows a base URL."""

    name: str
    path: str
    upstream_path: str
    price: Price
    count_prompt: Callable[[Mapping[str, Any], str], int]
    answer_text: Callable[[Mapping[str, Any]], str]
    stream: Callable[[Request], Stream]
    stream_changes: Callable[[Request], dict[str, Any]]
    knows: Callable[[str, str], bool]
    """Whether the catalogue's price of (provider, model) is for what this route asks of it."""


class Routes:
    """All routes by path."""

    def __init__(self) -> None:
        self._by_path: dict[str, Route] = {}

    def register(self, route: Route) -> None:
        """Add a route; raises ``UnpricedRoute`` for one without a price rule."""
        if not callable(getattr(route, "price", None)):
            raise UnpricedRoute(f"the route {route.path} has no price rule")
        if route.path in self._by_path:
            raise ValueError(f"the route {route.path} is there already")
        self._by_path[route.path] = route

    def get(self, path: str) -> Route | None:
        """The route of a path."""
        return self._by_path.get(path)

    def __iter__(self) -> Iterator[Route]:
        return iter(self._by_path.values())
