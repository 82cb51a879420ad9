"""``POST /v1/moderations``: the moderation models of OpenAI cost nothing, unless somebody has set
a price for them.
"""

import re
from collections.abc import Mapping
from typing import Any

from gateway import tokens
from gateway.pricing import catalogue
from gateway.proxy import fields
from gateway.proxy.route import Route
from gateway.proxy.routes import unspoken

DEFAULT_MODEL = "omni-moderation-latest"
_FREE = re.compile(r"(omni|text)-moderation-(latest|stable|\d{3}|\d{4}-\d{2}-\d{2})", re.ASCII)


def is_free(model: str) -> bool:
    """Whether it is one of OpenAI's moderation models."""
    return _FREE.fullmatch(model) is not None


def is_empty(answer: Mapping[str, Any]) -> bool:
    """No verdict in it."""
    return not answer.get("results")


ROUTE = Route(
    name="moderations",
    path="/v1/moderations",
    upstream_path="/moderations",
    price=tokens.moderation_estimate,
    count_prompt=tokens.count_inputs,
    answer_text=unspoken.no_text,
    read_usage=unspoken.prompt_usage,
    stream=None,
    stream_changes=unspoken.no_changes,
    knows=catalogue.moderates,
    is_free=is_free,
    check_fields=fields.MODERATIONS.check,
    is_empty=is_empty,
    default_model=DEFAULT_MODEL,
)
