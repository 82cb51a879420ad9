"""Tables of the gateway: prices, decision events, generations of the response cache, keys of
requests that may be repeated, texts that are kept, what is written off.
"""

from gateway.models.cache import CacheGeneration
from gateway.models.event import DecisionEvent
from gateway.models.history import HistoryText
from gateway.models.idempotent import IdempotentCall
from gateway.models.price import ModelPrice
from gateway.models.written_off import WrittenOff

__all__ = [
    "CacheGeneration",
    "DecisionEvent",
    "HistoryText",
    "IdempotentCall",
    "ModelPrice",
    "WrittenOff",
]
