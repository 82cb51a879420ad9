"""Two ways to count a text: exactly by a known tokenizer, or safely by its bytes."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from gateway.tokens import encoders
from gateway.tokens.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class ByEncoding:
    """OpenAI's own recipe: 3 tokens a message and 3 to prime the answer, counted by ``encoding``.

    A bound has a margin on top: one token a message, 2 a content part, 8 a request. Tools are
    counted as JSON, which is longer than the form in which OpenAI writes them, with an allowance
    for the text around them.
    """

    encoding: str
    per_request: int = 3 + 8
    per_message: int = 3 + 1
    per_part: int = 2
    per_tool: int = 16
    with_tools: int = 32

    @property
    def method(self) -> str:
        """How events and receipts name this way of counting."""
        return f"bpe:{self.encoding}"

    def text(self, text: str) -> int:
        """Tokens of a text, exact."""
        return encoders.count(self.encoding, text)

    def json(self, value: Any, field: str) -> int:
        """Tokens of the compact JSON of ``value``."""
        return self.text(encoded(value, field).decode())


@dataclass(frozen=True, slots=True)
class ByBytes:
    """Never too low for a tokenizer whose tokens are one byte or longer, whatever its vocabulary.

    The overheads cover what chat templates add: role markers, a system prompt of their own (that
    of the local model has 26 tokens, the longest known 100), instructions for the use of tools.
    """

    method: str = "bytes"
    per_request: int = 128
    per_message: int = 16
    per_part: int = 8
    per_tool: int = 32
    with_tools: int = 512

    def text(self, text: str) -> int:
        """Bytes of the text in UTF-8."""
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))

    def json(self, value: Any, field: str) -> int:
        """Bytes of the JSON with room for the widest indentation a template uses (4)."""
        return 2 * len(encoded(value, field, orjson.OPT_INDENT_2))


Counter: TypeAlias = ByEncoding | ByBytes

BYTES = ByBytes()
_NAMES = (encoders.O200K, encoders.CL100K)
_BOUNDING = {name: ByEncoding(name) for name in _NAMES}
_LIKELY = {name: ByEncoding(name, per_request=3, per_message=3, per_part=0) for name in _NAMES}


def encoded(value: Any, field: str, option: int = 0) -> bytes:
    """Compact JSON of ``value``; raises ``InvalidRequest`` for what no JSON body can hold."""
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError:
        raise InvalidRequest(field, "is nested too deeply or not valid JSON") from None


def bounding(model: str, *, official: bool) -> Counter:
    """The counter whose count is never too low: by encoding only where the server is known too."""
    encoding = encoders.family(model) if official else None
    return _BOUNDING[encoding] if encoding else BYTES


def likely(model: str) -> Counter:
    """The counter nearest to the truth: for an unknown tokenizer the newest one that is known."""
    return _LIKELY[encoders.family(model) or encoders.O200K]
