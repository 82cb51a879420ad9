"""Chat completions by way of Anthropic's Messages API.

Fields and values come from the types of Anthropic's own Python library; what its documentation
says about OpenAI compatibility is followed where it does not drop a wish in silence.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway.adapters.anthropic import answer, errors, request
from gateway.adapters.anthropic.headers import native_headers
from gateway.adapters.anthropic.stream import ChatTranslator

__all__ = ["AnthropicChat"]


class AnthropicChat:
    """``/v1/chat/completions`` served by ``/v1/messages``. ``clock`` gives ``created``."""

    path = "/messages"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def headers(self, api_key: str | None, given: Mapping[bytes, bytes]) -> dict[str, str]:
        """As ``native_headers``."""
        return native_headers(api_key, given)

    def request(self, chat: Mapping[str, Any]) -> dict[str, Any]:
        """The body for ``/messages``; raises ``Rejected`` (400) naming the field."""
        return request.translated(chat)

    def answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The chat completion of a message; raises ``UpstreamFailure`` where it is unreadable."""
        return answer.completion(message, created=int(self._clock()))

    def error(self, body: bytes) -> bytes:
        """An error body as OpenAI would write it; a body that has no error in it stays."""
        return errors.body(body)

    def stream(self, chat: Mapping[str, Any]) -> ChatTranslator:
        """For one streamed answer."""
        return ChatTranslator(model=chat.get("model"), created=int(self._clock()))
