"""The texts of a request in their table: compressed, encrypted for their event, for a time."""

import logging
import zlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from django.db.models import QuerySet
from django.db.models.functions import Now

from gateway.models import DecisionEvent, HistoryText
from keeptrusts.lib.sealing import Seal, Tampered
from wallets.models import Organization

log = logging.getLogger(__name__)

PURPOSE = "history texts"
MAX_BYTES = 1_048_576
"""Of a body or an answer; the rest of a longer one is cut off."""
LEVEL = 3
PURGE_BATCH = 200


@dataclass(frozen=True, slots=True)
class Text:
    """A body, or an answer. ``whole``: nothing was cut off, and it had come to its end."""

    body: bytes
    whole: bool = True

    def value(self) -> Any:
        """The JSON that it is; what is not whole is a text."""
        if self.whole:
            try:
                return orjson.loads(self.body)
            except ValueError:
                pass
        return self.body.decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class Texts:
    """What was asked and what was answered."""

    request: Text
    answer: Text


@cache
def _seal() -> Seal:
    return Seal(PURPOSE)


def row(
    texts: Texts,
    *,
    event_id: str,
    organization_id: int,
    team_id: int | None,
    created_at: datetime,
    expires_at: datetime,
) -> HistoryText:
    """A row that only the field key opens, and only as this event's."""
    return HistoryText(
        event_id=event_id,
        organization_id=organization_id,
        team_id=team_id,
        sealed=_seal().close(_packed(texts), event_id.encode()),
        created_at=created_at,
        expires_at=expires_at,
    )


def of_event(event: DecisionEvent) -> HistoryText | None:
    """The row of an event, until it has expired."""
    rows = HistoryText.objects.filter(pk=event.pk, organization=event.organization_id)
    return rows.filter(expires_at__gt=Now()).first()


def opened(kept: HistoryText) -> Texts | None:
    """What it says; None, and an error in the log, where no field key opens it."""
    try:
        return _unpacked(_seal().open(bytes(kept.sealed), kept.event_id.encode()))
    except (Tampered, zlib.error, ValueError):
        log.error("kept texts cannot be read: was KEEPTRUSTS_FIELD_KEY replaced?")
        return None


def purge() -> int:
    """Delete what has expired, in small batches; how many rows went."""
    return _deleted(HistoryText.objects.filter(expires_at__lte=Now()))


def purge_closed() -> int:
    """Delete the texts of organisations that are closed; how many rows went."""
    closed = Organization.Status.CLOSED
    return _deleted(HistoryText.objects.filter(organization__status=closed))


def _deleted(due: QuerySet[HistoryText]) -> int:
    total = 0
    while True:
        ids = list(due.values_list("pk", flat=True)[:PURGE_BATCH])
        deleted, _ = HistoryText.objects.filter(pk__in=ids).delete()
        total += deleted
        if len(ids) < PURGE_BATCH:
            return total


def _packed(texts: Texts) -> bytes:
    """One line of facts, then both texts, compressed."""
    request, answer = _bounded(texts.request), _bounded(texts.answer)
    facts = [len(request.body), request.whole, answer.whole]
    return zlib.compress(orjson.dumps(facts) + b"\n" + request.body + answer.body, LEVEL)


def _unpacked(packed: bytes) -> Texts:
    line, _, bodies = zlib.decompress(packed).partition(b"\n")
    length, request_whole, answer_whole = orjson.loads(line)
    return Texts(Text(bodies[:length], request_whole), Text(bodies[length:], answer_whole))


def _bounded(text: Text) -> Text:
    if len(text.body) <= MAX_BYTES:
        return text
    return Text(text.body[:MAX_BYTES], whole=False)
