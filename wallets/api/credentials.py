"""What API tokens and gateway keys have in common: shown once, rotated, revoked."""

from datetime import timedelta
from typing import Any

from rest_framework import serializers

from keeptrusts.lib.rest.fields import MomentField
from wallets.api.base import OrganizationInput
from wallets.keys.ending import LONGEST_OVERLAP, OVERLAP

SECRET_HELP = "Shown this once; only a digest of it is kept."


class CredentialOutput(serializers.Serializer):
    """A credential without its secret."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField(allow_blank=True)
    prefix = serializers.CharField(help_text="First characters, to recognise it by.")
    created_by = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class RotateInput(OrganizationInput):
    """How long the old secret goes on working."""

    overlap_hours = serializers.IntegerField(
        required=False,
        default=OVERLAP // timedelta(hours=1),
        min_value=0,
        max_value=LONGEST_OVERLAP // timedelta(hours=1),
    )


class WordsField(serializers.ListField):
    """A list of short texts."""

    child = serializers.CharField(max_length=120)
    max_length = 100


class ExpiryField(MomentField):
    """When a credential ends; null or absent: never."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "allow_null": True, "default": None, **kwargs})
