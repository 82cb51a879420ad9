"""How operations describe themselves in the schema."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Any unique text, for example a UUID. The same call again answers the same and "
    "moves nothing; the same key with another body is refused (`idempotency_key_reused`).",
)


def money_operation(**described: Any) -> Callable[[Any], Any]:
    """Describe a POST that moves money: it takes an Idempotency-Key."""
    decorate: Callable[[Any], Any] = extend_schema(parameters=[IDEMPOTENCY_KEY], **described)
    return decorate
