"""Tables of the gateway: prices and decision events."""

from gateway.models.event import DecisionEvent
from gateway.models.price import ModelPrice

__all__ = ["DecisionEvent", "ModelPrice"]
