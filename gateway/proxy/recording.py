"""A finished answer as it is kept: for the response cache and for repeated requests."""

from dataclasses import dataclass, field

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An answer that was paid for.

    ``body``: of a plain answer its JSON; of a stream all events of the provider in the route's own
    shape, with usage and end. ``usage`` counts tokens by class, ``cost`` is in nano-dollars;
    ``flags`` are those of the event.
    """

    streamed: bool
    body: bytes
    usage: dict[str, int]
    cost: int
    model: str
    price_version: str
    flags: tuple[str, ...] = field(default=())

    def pack(self) -> bytes:
        """One line of facts, then the body."""
        facts = {
            "streamed": self.streamed, "usage": self.usage, "cost": self.cost,
            "model": self.model, "price_version": self.price_version, "flags": self.flags,
        }  # fmt: skip
        return orjson.dumps(facts) + b"\n" + self.body

    @classmethod
    def unpack(cls, packed: bytes) -> "Recorded":
        """The reverse of ``pack``; raises ``ValueError`` for anything else."""
        facts, separator, body = packed.partition(b"\n")
        if not separator:
            raise ValueError("not a recorded answer")
        found = orjson.loads(facts)
        found["flags"] = tuple(found["flags"])
        return cls(body=body, **found)
