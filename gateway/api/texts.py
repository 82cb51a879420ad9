"""The texts of one request: for whoever made it, and for those who see the whole organisation.

Leads see what their team spends, not what it writes. Who reads what others wrote leaves a record.
"""

from datetime import datetime
from typing import Any

import orjson
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.events import find
from gateway.history import texts
from gateway.history.texts import Text
from gateway.models import DecisionEvent
from wallets import audit
from wallets.api.base import OrganizationInput, View
from wallets.api.visibility import visible
from wallets.errors import Forbidden, NotFound
from wallets.permissions import Action
from wallets.tenancy import Actor


class TextsOutput(serializers.Serializer):
    """What was asked and what was answered."""

    event_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    request = serializers.JSONField(help_text="The body; a text where it was cut off.")
    request_whole = serializers.BooleanField(help_text="False: only its beginning was kept.")
    answer = serializers.JSONField(
        help_text="A stream is shown as the plain answer it adds up to; a text where it was cut."
    )
    answer_whole = serializers.BooleanField(
        help_text="False: only its beginning was kept, or it broke off."
    )


class EventTexts(View):
    """What ``history.mode: full`` keeps of a request."""

    @extend_schema(parameters=[OrganizationInput], responses=TextsOutput)
    def get(self, request: Request, event_id: str) -> Response:
        """Body and answer of a request, until they expire; 404 where none are kept."""
        organization = self.organization(self.query())
        event = find(self.actor, organization, event_id, Action.TEXTS_READ)
        kept = texts.of_event(event)
        found = texts.opened(kept) if kept is not None else None
        if kept is None or found is None:
            raise NotFound(f"No texts are kept of the event {event_id}.")
        self._write_down(event)
        shown = {
            "event_id": kept.event_id,
            "created_at": kept.created_at,
            "expires_at": kept.expires_at,
            "request": _shown(found.request),
            "request_whole": found.request.whole,
            "answer": _shown(found.answer),
            "answer_whole": found.answer.whole,
        }
        headers = {"Cache-Control": "no-store"}
        return Response(TextsOutput(shown).data, headers=headers)

    @transaction.atomic
    def _write_down(self, event: DecisionEvent) -> None:
        """Nothing is shown to somebody else before it is on record."""
        user = self.actor.user
        if user is None or user.pk != event.user_id:
            audit.record(
                organization=event.organization_id,
                actor=self.actor.public_id,
                action="texts.read",
                target=event.pk,
                address=self.address,
            )


def texts_until(actor: Actor, event: DecisionEvent) -> datetime | None:
    """When the texts of an event expire; None where there are none, or not for this caller."""
    if "history" not in (event.details or {}):
        return None
    try:
        seen = visible(actor, Action.TEXTS_READ, event.organization)
    except Forbidden:
        return None
    if not DecisionEvent.objects.filter(seen, pk=event.pk).exists():
        return None
    kept = texts.of_event(event)
    return kept.expires_at if kept is not None else None


def _shown(text: Text) -> Any:
    """JSON goes out byte by byte as it was kept: no number changes on the way."""
    value = text.value()
    return value if isinstance(value, str) else orjson.Fragment(text.body)
