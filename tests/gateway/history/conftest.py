"""Gateways that keep texts."""

from gateway.history import texts
from gateway.history.texts import Texts
from gateway.models import HistoryText
from tests.gateway.conftest import World
from tests.gateway.serving import eventually

FULL = {"mode": "full"}
METADATA = {"mode": "metadata"}
QUESTION = "Write a short haiku."


def kept(event_id: str) -> Texts:
    """The texts of an event, once they are there."""
    eventually(HistoryText.objects.filter(pk=event_id).exists, what="texts kept")
    found = texts.opened(HistoryText.objects.get(pk=event_id))
    assert found is not None
    return found


def event_of(world: World, **filters: object) -> str:
    """The id of the only event that fits."""
    return world.event(**filters).pk
