"""Strict inputs: what is not known is refused, never ignored."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


class Input(serializers.Serializer):
    """A request body (or query) of one operation. Unknown fields are errors that name them."""

    default_error_messages = {"invalid": "The request body must be a JSON object."}

    def to_internal_value(self, data: Any) -> Any:
        """The validated values; raises ``ValidationError`` by field name."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError(
                {"body": ["must be a JSON object."]}, code="invalid_body"
            )
        known = {name for name, field in self.fields.items() if not field.read_only}
        unknown = {
            str(name): ["is not a known field. Known: " + ", ".join(sorted(known)) + "."]
            for name in data
            if name not in known
        }
        if unknown:
            raise serializers.ValidationError(unknown, code="unknown_field")
        return super().to_internal_value(data)
