"""Who is in a room: leases that run out by themselves."""

import asyncio

import pytest

from livestream.realtime import presence
from livestream.realtime.presence import MemoryPresence, RedisPresence


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def time(self):
        return self.now

    monotonic = time


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(presence, "time", clock)
    return clock


@pytest.fixture(params=["memory", "redis"])
async def store(request, clock):
    if request.param == "memory":
        yield MemoryPresence()
        return
    made = RedisPresence(request.getfixturevalue("redis_server").url)
    await made._redis.flushdb()
    yield made
    await made._redis.aclose()


async def test_a_person_with_two_sockets_is_one_person(store):
    await store.touch(room="r", leases={"a1": "ada", "a2": "ada", "b1": "ben"})

    assert await store.people(room="r") == {"ada", "ben"}
    await store.drop(room="r", connection="a1")
    assert await store.people(room="r") == {"ada", "ben"}
    await store.drop(room="r", connection="a2")
    assert await store.people(room="r") == {"ben"}


async def test_rooms_are_apart_and_empty_rooms_are_empty(store):
    await store.touch(room="r", leases={"a1": "ada"})

    assert await store.people(room="s") == set()
    await store.drop(room="s", connection="a1")
    await store.drop(room="r", connection="unknown")
    assert await store.people(room="r") == {"ada"}


async def test_a_lease_runs_out_unless_it_is_taken_again(store, clock, settings):
    await store.touch(room="r", leases={"a1": "ada", "b1": "ben"})
    clock.now += settings.PRESENCE_LEASE_SECONDS - 1
    await store.touch(room="r", leases={"b1": "ben"})
    clock.now += 2

    assert await store.people(room="r") == {"ben"}


async def test_a_visit_is_the_first_one_once(store):
    visits = await asyncio.gather(*(store.first_visit(room="r", person="ada") for _ in range(10)))

    assert sorted(visits) == [False] * 9 + [True]
    assert await store.first_visit(room="s", person="ada")


async def test_names_may_hold_anything(store):
    await store.touch(room="r", leases={"a1": "anon:a|b c\n"})

    assert await store.people(room="r") == {"anon:a|b c\n"}
    await store.drop(room="r", connection="a1")
    assert await store.people(room="r") == set()
