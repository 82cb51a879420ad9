"""Tokens before the provider counts them: bounds for the hold, counts for a missing usage."""

from gateway.tokens.encoders import warm
from gateway.tokens.errors import InvalidRequest
from gateway.tokens.estimate import Estimate, count_prompt, count_text, estimate
from gateway.tokens.features import billable_features

__all__ = [
    "Estimate",
    "InvalidRequest",
    "billable_features",
    "count_prompt",
    "count_text",
    "estimate",
    "warm",
]
