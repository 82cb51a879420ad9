"""JSON without floats: numbers are parsed as ``Decimal`` or ``int`` and printed in fixed point."""

import json
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


def loads(text: str) -> Any:
    """The value of a JSON text; raises ``ValueError``, or ``RecursionError`` for deep nesting."""
    return json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=_constant)


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
    return orjson.dumps(value, default=_default, option=orjson.OPT_NON_STR_KEYS)


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
