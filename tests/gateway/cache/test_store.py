"""What lies in the cache: unreadable, in its place, of its generation; all else is nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import orjson
import pytest
from django.core.cache import caches
from pytest_django.fixtures import Settings

from gateway.cache.names import generation_name, generation_value
from gateway.cache.shelf import ALIAS, Shelf
from gateway.cache.store import Place, Store
from gateway.proxy.recording import Recorded
from gateway.proxy.routes import all_routes

T = TypeVar("T")

SECRET = "Clouds drift by"
BODY = orjson.dumps({"choices": [{"message": {"content": SECRET}, "finish_reason": "stop"}]})
ANSWER = Recorded(
    streamed=False,
    body=BODY,
    usage={"prompt_tokens": 14, "completion_tokens": 25},
    cost=17_100,
    model="gpt-4o-mini",
    price_version="1",
)
PLACE = Place(organization="org_a", key="0" * 64, generation=0, seconds=60)
CHAT = all_routes().get("/v1/chat/completions")


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Path) -> None:
    """A cache of this test alone."""
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    responses = {"BACKEND": backend, "LOCATION": str(tmp_path)}
    settings.CACHES = {**settings.CACHES, ALIAS: responses}


def with_store(work: Callable[[Store], Awaitable[T]]) -> T:
    """Run ``work`` with a store."""

    async def run() -> T:
        shelf = Shelf()
        shelf.start()
        try:
            return await work(Store(shelf))
        finally:
            await shelf.close()

    return asyncio.run(run())


async def kept(store: Store) -> str:
    """Keep the answer; the name it has."""
    assert CHAT is not None
    assert await store.keep(PLACE, CHAT, ANSWER)
    return store.name(PLACE)


def test_what_is_kept_is_found_whole() -> None:
    async def work(store: Store) -> None:
        await kept(store)
        found, reachable = await store.find(PLACE)
        assert found is not None
        assert (found.recorded, found.age, reachable) == (ANSWER, 0, True)

    with_store(work)


def test_nothing_readable_lies_in_the_cache(tmp_path: Path) -> None:
    with_store(kept)
    [file] = [path for path in tmp_path.iterdir() if path.suffix == ".djcache"]
    raw = file.read_bytes() + caches[ALIAS].get(with_store(named))
    assert SECRET.encode() not in raw
    assert b"gpt-4o-mini" not in raw
    assert PLACE.key.encode() not in raw


async def named(store: Store) -> str:
    return store.name(PLACE)


@pytest.mark.parametrize("at", [0, 1, 9, 20, -1], ids=str)
def test_a_changed_byte_makes_it_nothing(at: int) -> None:
    async def work(store: Store) -> None:
        name = await kept(store)
        sealed = bytearray(caches[ALIAS].get(name))
        sealed[at] ^= 1
        caches[ALIAS].set(name, bytes(sealed), 60)
        assert await store.find(PLACE) == (None, True)

    with_store(work)


@pytest.mark.parametrize("value", [b"", b"x", b"\x01" * 17, b"\x01" * 400], ids=len)
def test_garbage_is_nothing(value: bytes) -> None:
    async def work(store: Store) -> None:
        caches[ALIAS].set(store.name(PLACE), value, 60)
        assert await store.find(PLACE) == (None, True)

    with_store(work)


def test_an_answer_in_another_place_is_nothing() -> None:
    async def work(store: Store) -> None:
        sealed = caches[ALIAS].get(await kept(store))
        for other in (
            replace(PLACE, key="1" * 64),
            replace(PLACE, organization="org_b"),
        ):
            caches[ALIAS].set(store.name(other), sealed, 60)
            assert await store.find(other) == (None, True)

    with_store(work)


def test_another_key_reads_nothing(settings: Settings) -> None:
    with_store(kept)
    settings.FIELD_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]

    async def work(store: Store) -> None:
        assert await store.find(PLACE) == (None, True)

    with_store(work)


@pytest.mark.parametrize("known", [0, 1])
def test_an_older_generation_is_nothing_whoever_knows_of_the_newer(known: int) -> None:
    async def work(store: Store) -> None:
        await kept(store)
        if known == 0:
            caches[ALIAS].set(generation_name("org_a"), generation_value(1), None)
        assert await store.find(replace(PLACE, generation=known)) == (None, True)

    with_store(work)


def test_a_cache_that_lost_its_generation_believes_the_database() -> None:
    async def work(store: Store) -> None:
        newer = replace(PLACE, generation=3)
        assert CHAT is not None
        await store.keep(newer, CHAT, ANSWER)
        caches[ALIAS].set(generation_name("org_a"), generation_value(1), None)
        found, _ = await store.find(newer)
        assert found is not None

    with_store(work)


def test_many_reads_at_once_are_each_answered() -> None:
    async def work(store: Store) -> None:
        await kept(store)
        others = [replace(PLACE, key=f"{number:064}") for number in range(1, 100)]
        found = await asyncio.gather(*(store.find(place) for place in (PLACE, *others)))
        assert [kept is not None for kept, _ in found] == [True] + [False] * 99

    with_store(work)
