"""Tokens before the provider counts them: bounds for the hold, counts for a missing usage."""

from gateway.tokens.encoders import warm
from gateway.tokens.errors import InvalidRequest
from gateway.tokens.estimate import Estimate, count_prompt, count_text, estimate
from gateway.tokens.features import AUDIO, LONG_CONTEXT, billable_features
from gateway.tokens.messages import count_message_prompt, message_estimate, no_estimate
from gateway.tokens.responses import count_response_prompt, response_estimate
from gateway.tokens.texts import (
    completion_estimate,
    count_completion_prompt,
    count_inputs,
    embedding_estimate,
    moderation_estimate,
)

__all__ = [
    "AUDIO",
    "LONG_CONTEXT",
    "Estimate",
    "InvalidRequest",
    "billable_features",
    "completion_estimate",
    "count_completion_prompt",
    "count_inputs",
    "count_message_prompt",
    "count_prompt",
    "count_response_prompt",
    "count_text",
    "embedding_estimate",
    "estimate",
    "message_estimate",
    "moderation_estimate",
    "no_estimate",
    "response_estimate",
    "warm",
]
