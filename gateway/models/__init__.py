"""Tables of the gateway: prices, decision events, generations of the response cache."""

from gateway.models.cache import CacheGeneration
from gateway.models.event import DecisionEvent
from gateway.models.price import ModelPrice

__all__ = ["CacheGeneration", "DecisionEvent", "ModelPrice"]
