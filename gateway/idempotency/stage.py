"""The stage that lets exactly one of several requests with one ``Idempotency-Key`` run.

The key is claimed before anything else happens, and its end is written in the transaction that
settles the request: "paid" and "kept" cannot disagree.
"""

import logging

from django.db import Error

from gateway.idempotency import claims, keys
from gateway.idempotency.claims import Claim, Finished, Lost, Outcome, OwnedKey, Reused, Running
from gateway.idempotency.registry import Busy, Registry
from gateway.proxy import errors
from gateway.proxy.call import Call, Found
from gateway.proxy.errors import Rejected
from gateway.proxy.recording import Recorded
from keeptrusts.lib.sealing import Seal, Tampered

log = logging.getLogger(__name__)

REPLAYED = "idempotent_replay"
PURPOSE = "idempotent answers"
MAX_ANSWER = 16 * 1024 * 1024
"""Bytes; a longer answer is not kept, and its key answers that it is lost."""
RETRY_SECONDS = 2


class Idempotency:
    """A stage of the life of a request, and the keeper of what is answered again."""

    def __init__(self) -> None:
        self._registry = Registry()
        self._seal = Seal(PURPOSE)

    async def start(self) -> None:
        """Start to renew the keys of running requests."""
        await self._registry.start()

    async def close(self) -> None:
        """Close the connection."""
        await self._registry.close()

    async def before(self, call: Call) -> Found | None:
        """The answer this key has already, or None once the key is the call's; raises a 409 while
        another request runs with it, a 422 for another body.
        """
        value = keys.given(call)
        if value is None:
            return None
        wanted = Claim(
            key=keys.digest(call, value),
            organization_id=call.caller.organization_id,
            fingerprint=keys.fingerprint(call.body),
            request_id=call.id,
        )
        try:
            outcome, owned = await self._registry.claim(wanted)
        except (Error, TimeoutError, Busy) as error:
            log.warning("an idempotency key cannot be claimed: %s", type(error).__name__)
            raise errors.unavailable("The database did not answer in time; try again.") from error
        if owned is None:
            return self._answer(outcome, wanted.key)
        self._own(call, owned)
        return None

    def _own(self, call: Call, owned: OwnedKey) -> None:
        call.event.carry(owned)
        keeping = Keeping(self._seal, owned)
        call.record_for(keeping)
        call.at_found.append(keeping.found)
        call.at_end.append(lambda _: self._registry.ended(owned))

    def _answer(self, outcome: Outcome, key: str) -> Found:
        if not isinstance(outcome, Finished):
            raise _refusal(outcome)
        try:
            recorded = Recorded.unpack(self._seal.open(outcome.answer, key.encode()))
        except (Tampered, ValueError):
            log.error("a kept answer cannot be read: was KEEPTRUSTS_FIELD_KEY replaced?")
            raise _refusal(Lost()) from None
        return Found(
            recorded=recorded,
            reason=REPLAYED,
            cache="bypass",
            headers=[(b"idempotent-replayed", b"true")],
        )


class Keeping:
    """Puts the answer of one call on its event, encrypted for its key."""

    def __init__(self, seal: Seal, owned: OwnedKey) -> None:
        self._seal = seal
        self._owned = owned

    def settling(self, call: Call, recorded: Recorded) -> None:
        """The event takes the answer into the transaction of the settle."""
        if len(recorded.body) <= MAX_ANSWER:
            self._owned.answer = self._seal.close(recorded.pack(), self._owned.key.encode())

    def found(self, call: Call, found: Found) -> None:
        """The cache had the answer: it is the key's own from now on."""
        self.settling(call, found.recorded)

    def settled(self, call: Call, recorded: Recorded) -> None:
        """It is written already."""

    def dropped(self, call: Call) -> None:
        """The event says so to the key."""


def _refusal(outcome: claims.Outcome) -> Rejected:
    if isinstance(outcome, Running):
        return Rejected(
            409,
            "A request with this Idempotency-Key is running; its answer will be there soon.",
            code="idempotency_key_in_use",
            retry_after=RETRY_SECONDS,
        )
    if isinstance(outcome, Reused):
        return Rejected(
            422,
            "This Idempotency-Key was used with a different request body.",
            code="idempotency_key_reused",
        )
    return Rejected(
        409,
        "The request with this Idempotency-Key was paid for, but its answer is not to be had. "
        "Use a new key to ask, and pay, again.",
        code="idempotency_result_lost",
    )
