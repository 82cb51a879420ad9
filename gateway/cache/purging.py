"""Purging: what an organisation has in the response cache is never answered again."""

import logging
import time
from functools import partial

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.redis import RedisCache
from django.db import transaction
from django.utils import timezone

from gateway.cache.names import generation_name, generation_value, prefix
from gateway.cache.shelf import ALIAS
from gateway.models import CacheGeneration
from wallets import permissions
from wallets.models import Organization
from wallets.people import checks
from wallets.permissions import Action
from wallets.tenancy import Actor

log = logging.getLogger(__name__)

ERASE_SECONDS = 2.0
AT_ONCE = 1_000


@transaction.atomic
def purge(*, actor: Actor, organization: Organization) -> CacheGeneration:
    """Begin a new generation: gateways with the same cache see it at once, all others within five
    seconds. Answers under way now are not kept. Raises Forbidden.

    The bodies are erased too, as far as that goes in two seconds; the rest expires unread.
    """
    permissions.require(actor, Action.CACHE_PURGE, organization=organization)
    # Two at once would otherwise make one generation of two.
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    row, _ = CacheGeneration.objects.get_or_create(organization=organization)
    before = row.number
    row.number, row.purged_at = before + 1, timezone.now()
    row.save()
    checks.written(
        actor,
        organization,
        action="cache.purge",
        target=organization.public_id,
        before={"generation": before},
        after={"generation": row.number},
    )
    transaction.on_commit(partial(_tell, organization.public_id, row.number))
    return row


def _tell(organization: str, generation: int) -> None:
    """The database has it; a cache that is away changes nothing about that."""
    cache = caches[ALIAS]
    try:
        cache.set(generation_name(organization), generation_value(generation), None)
        _erase(cache, organization)
    except Exception as error:
        # Whatever the backend raises: gateways learn of it from the database.
        log.warning("the response cache could not be told of a purge: %s", type(error).__name__)


def _erase(cache: BaseCache, organization: str) -> None:
    if isinstance(cache, RedisCache):
        _erase_by_name(cache, organization)
    elif isinstance(cache, FileBasedCache):
        # Files have no names to go by; others only lose what they would have saved.
        cache.clear()
        cache.set_many(_generations(), None)


def _erase_by_name(cache: RedisCache, organization: str) -> None:
    deadline = time.monotonic() + ERASE_SECONDS
    client = cache._cache.get_client(write=True)
    pattern = cache.make_key(f"{prefix(organization)}*")
    cursor = 0
    while time.monotonic() < deadline:
        cursor, found = client.scan(cursor, match=pattern, count=AT_ONCE)
        if found:
            client.unlink(*found)
        if cursor == 0:
            return


def _generations() -> dict[str, bytes]:
    """The generation of every organisation, which clearing has taken away too."""
    rows = CacheGeneration.objects.values_list("organization__public_id", "number")
    return {generation_name(name): generation_value(number) for name, number in rows}
