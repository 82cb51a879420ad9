"""What an adapter does: pure translations, no input or output."""

from collections.abc import Mapping
from typing import Any, Protocol


class Translator(Protocol):
    """Translates the events of one streamed answer."""

    usage: dict[str, Any] | None
    """What was reported so far, in the route's shape, without the counts that are not known yet:
    what a stream is paid by that broke off before its usage was passed on."""

    def feed(self, block: bytes) -> bytes:
        """Whole events of the provider as whole events of the route."""


class Adapter(Protocol):
    """Between a route and a provider that speaks another protocol."""

    path: str
    """Follows a base URL, such as ``/messages``."""

    def headers(self, api_key: str | None, given: Mapping[bytes, bytes]) -> dict[str, str]:
        """The credentials, and what goes on of the client's headers (names in lower case).

        Nothing else of the client's headers may be sent.
        """

    def request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The body to send; raises a 400 that names the field for what cannot be said."""

    def answer(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """A plain answer in the route's shape; raises ``UpstreamFailure`` where it has none."""

    def error(self, body: bytes) -> bytes:
        """An error body in the shape of the OpenAI API; never raises."""

    def stream(self, request: Mapping[str, Any]) -> Translator:
        """For the answer of one streamed request."""
