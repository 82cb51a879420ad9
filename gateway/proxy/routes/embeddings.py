"""``POST /v1/embeddings``: of a text, of many, or of tokens; never streamed."""

from collections.abc import Mapping
from typing import Any

from gateway import tokens
from gateway.pricing import catalogue
from gateway.proxy import fields
from gateway.proxy.route import Route
from gateway.proxy.routes import unspoken


def is_empty(answer: Mapping[str, Any]) -> bool:
    """No vector in it."""
    return not answer.get("data") and not answer.get("usage")


ROUTE = Route(
    name="embeddings",
    path="/v1/embeddings",
    upstream_path="/embeddings",
    price=tokens.embedding_estimate,
    count_prompt=tokens.count_inputs,
    answer_text=unspoken.no_text,
    read_usage=unspoken.prompt_usage,
    stream=None,
    stream_changes=unspoken.no_changes,
    knows=catalogue.embeds,
    check_fields=fields.EMBEDDINGS.check,
    is_empty=is_empty,
    cacheable=True,
)
