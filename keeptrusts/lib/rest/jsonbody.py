"""JSON without floats: numbers are parsed as ``Decimal`` or ``int`` and printed in fixed point."""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any, NoReturn

import orjson
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from keeptrusts.lib import money

MAX_BODY_BYTES = 256 * 1024
_LONG_INTEGER = 40
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")
"""What JSON can escape and no database stores: NUL, and halves of characters."""


class BodyTooLarge(APIException):
    """The request body is larger than any operation needs."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The request body must be at most {MAX_BODY_BYTES // 1024} KiB."
    default_code = "body_too_large"


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a number has an exponent that is out of range") from None


def _integer(text: str) -> int | Decimal:
    """An ``int``; one of absurd length stays a ``Decimal``, which is cheap to refuse."""
    return int(text) if len(text) <= _LONG_INTEGER else _decimal(text)


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of two equal names the last counts."""
    found = dict(pairs)
    if _UNUSABLE.search("".join(found)):
        raise ValueError("a name holds characters that no text may hold")
    return found


def loads(text: str) -> Any:
    """The value of a JSON text; raises ``ValueError``, or ``RecursionError`` for deep nesting."""
    return json.loads(
        text,
        parse_float=_decimal,
        parse_int=_integer,
        parse_constant=_constant,
        object_pairs_hook=_object,
    )


class ExactJSONParser(BaseParser):
    """Reads JSON bodies; a body that is no JSON is a 400 that says what is wrong with it."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The parsed body; raises ``ParseError`` or ``BodyTooLarge``."""
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        try:
            return loads(body.decode("utf-8"))
        except UnicodeDecodeError:
            raise ParseError("The request body is not UTF-8 text.") from None
        except RecursionError:
            raise ParseError("The request body is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The request body is not JSON: {error}.") from None


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(money.fixed(value))
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: Any) -> bytes:
    """JSON bytes of ``value``; a ``Decimal`` becomes a fixed-point number token."""
    try:
        return orjson.dumps(value, default=_default, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # A text of the caller's that is quoted in an error may hold half a character.
        return orjson.dumps(_mended(value), default=_default, option=orjson.OPT_NON_STR_KEYS)


def _mended(value: Any) -> Any:
    """The same with ``?`` for what UTF-8 cannot say."""
    if isinstance(value, Mapping):
        return {_mended(name): _mended(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


class ExactJSONRenderer(BaseRenderer):
    """Writes JSON answers with money as exact numbers: 500, 0.0000171."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The body; empty where there is nothing to say."""
        return b"" if data is None else dumps(data)


class AlwaysJSON(BaseContentNegotiation):
    """Answers are JSON whatever ``Accept`` says; bodies are read by their ``Content-Type``."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """The parser of the body's type, else None: 415."""
        essence = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == essence), None)

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """The first renderer, whatever was asked for."""
        first = next(iter(renderers))
        return first, first.media_type or ""
