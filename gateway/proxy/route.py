"""What a route is: how to read its request, count its tokens and read its usage. Nothing else.

The life of a request is in ``life.py`` and the same for all routes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.pricing.usage import Reading
from gateway.proxy.errors import Rejected
from gateway.tokens import Estimate

Request = dict[str, Any]


class UnpricedRoute(TypeError):
    """A route that nobody could pay for."""


class Stream(Protocol):
    """Reads the events of one streamed answer while they pass.

    ``done``: the event that ends the answer has come. It is held back until the answer is paid for.
    """

    done: bool
    delivered: bool
    usage: Reading | None
    error: Any

    def feed(self, block: bytes) -> bytes:
        """Look into whole events; what the client gets of them now."""

    def text(self) -> str:
        """Everything that was produced so far, for counting."""

    def size(self) -> int:
        """Bytes of all text that was produced so far: no fewer than its tokens."""

    def fresh(self) -> str:
        """The text that was produced since this was last asked."""

    def end(self) -> bytes:
        """The events that end the answer; empty where none has come."""


class Replay(Protocol):
    """Turns one form of a finished answer into the other, so that both share a record."""

    def whole(self, events: bytes) -> dict[str, Any]:
        """The plain answer, usage included, that a whole stream stands for."""

    def events(self, answer: Mapping[str, Any], request: Request) -> bytes:
        """A whole stream, usage and end included, that says what a plain answer says."""


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


def _plain_error(rejected: Rejected) -> bytes:
    return rejected.body()


def _error_event(rejected: Rejected) -> bytes:
    return b"data: " + rejected.body() + b"\n\n"


def _says_nothing(answer: Mapping[str, Any]) -> bool:
    return not answer.get("choices") and not answer.get("usage")


def _never(model: str) -> bool:
    return False


def _user(request: Mapping[str, Any]) -> Any:
    return request.get("user")


def _no_features(headers: Mapping[bytes, bytes]) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route that reaches a provider. ``path`` is ours, ``upstream_path`` follows a base URL.

    ``stream`` None: its answers are never streamed. ``replay`` None: nothing of it is recorded in
    one form and answered in the other. ``is_empty`` tells a plain answer without a word in it.
    """

    name: str
    path: str
    upstream_path: str
    price: Price
    count_prompt: Callable[[Mapping[str, Any], str], int]
    answer_text: Callable[[Mapping[str, Any]], str]
    read_usage: Callable[[Mapping[str, Any]], Reading]
    stream: Callable[[Request], Stream] | None
    stream_changes: Callable[[Request], dict[str, Any]]
    knows: Callable[[str, str], bool]
    """Whether the catalogue's price of (provider, model) is for what this route asks of it."""
    check_fields: Callable[[Mapping[str, Any]], None]
    """Raises a 400 for fields that change what was priced."""
    error_body: Callable[[Rejected], bytes] = _plain_error
    error_event: Callable[[Rejected], bytes] = _error_event
    is_empty: Callable[[Mapping[str, Any]], bool] = _says_nothing
    is_free: Callable[[str], bool] = _never
    """Whether a model costs nothing on this route where nobody has set a price for it."""
    end_user: Callable[[Mapping[str, Any]], Any] = _user
    """The caller's own name for whoever asks, as it was sent."""
    header_features: Callable[[Mapping[bytes, bytes]], tuple[str, ...]] = _no_features
    """What the client's headers ask for that is billed apart, as ``Estimate.features`` has it."""
    default_model: str | None = None
    replay: Replay | None = None
    cacheable: bool = False


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
