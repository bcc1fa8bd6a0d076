"""Presence in a room: leases that expire by themselves."""

import asyncio

import pytest

from livestream.realtime import presence
from livestream.realtime.presence import Audience, MemoryPresence, RedisPresence
from livestream.realtime.redis_leases import LeasesUnavailable, SharedLeases
from livestream.realtime.socket_limits import SocketHolder, SocketLimits


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
    shared = SharedLeases(request.getfixturevalue("redis_server").url)
    await shared.redis.flushdb()
    yield RedisPresence(shared)
    await shared.redis.aclose()


async def audience(store, room="r"):
    return (await store.audiences([room]))[room]


async def people(store, room="r"):
    return set((await audience(store, room)).people)


async def test_a_person_with_two_sockets_is_one_person_with_two_connections(store):
    await store.touch(rooms={"r": {"a1": "ada", "a2": "ada", "b1": "ben"}})

    assert await audience(store) == Audience(frozenset({"ada", "ben"}), 3)
    await store.drop(room="r", connection="a1", person="ada")
    assert await audience(store) == Audience(frozenset({"ada", "ben"}), 2)
    await store.drop(room="r", connection="a2", person="ada")
    assert await audience(store) == Audience(frozenset({"ben"}), 1)


async def test_rooms_are_apart_and_empty_rooms_are_empty(store):
    await store.touch(rooms={"r": {"a1": "ada"}})

    assert await store.audiences(["s", "r"]) == {"s": Audience(), "r": Audience(frozenset({"ada"}), 1)}
    await store.drop(room="s", connection="a1", person="ada")
    await store.drop(room="r", connection="unknown", person="ada")
    assert await people(store) == {"ada"}


async def test_a_lease_runs_out_unless_it_is_taken_again(store, clock, settings):
    await store.touch(rooms={"r": {"a1": "ada", "b1": "ben"}})
    clock.now += settings.PRESENCE_LEASE_SECONDS - 1
    await store.touch(rooms={"r": {"b1": "ben"}})
    clock.now += 2

    assert await people(store) == {"ben"}


async def test_a_visit_is_the_first_one_once(store):
    visits = await asyncio.gather(
        *(store.arrive(room="r", connection=f"a{number}", person="ada") for number in range(10))
    )

    assert sorted(visits) == [False] * 9 + [True]
    assert not await store.first_visit(room="r", person="ada")
    assert await store.first_visit(room="s", person="ada")
    assert await audience(store) == Audience(frozenset({"ada"}), 10)


async def test_names_may_hold_anything(store):
    await store.touch(rooms={"r": {"a1": "anon:a|b c\n"}})

    assert await people(store) == {"anon:a|b c\n"}
    await store.drop(room="r", connection="a1", person="anon:a|b c\n")
    assert await people(store) == set()


async def test_what_another_process_did_is_seen_although_nothing_is_read_that_did_not_change(redis_server, clock):
    here, there = (RedisPresence(SharedLeases(redis_server.url)) for _ in range(2))
    await here._shared.redis.flushdb()
    await here.arrive(room="r", connection="a1", person="ada")
    first = await audience(here)

    assert await audience(here) is first
    await there.drop(room="r", connection="a1", person="ada")
    await there.arrive(room="r", connection="b1", person="ben")
    assert await people(here) == {"ben"}
    for one in (here, there):
        await one._shared.redis.aclose()


async def test_nothing_of_a_killed_process_stays_in_redis_for_long(redis_server, settings):
    """Only the set of all visitors is kept for a day, to count each once."""
    shared = SharedLeases(redis_server.url)
    await shared.redis.flushdb()
    store = RedisPresence(shared)
    await store.arrive(room="r", connection="a1", person="ada")
    limits = SocketLimits(shared)
    await limits.take(holder=SocketHolder("person", "ada", 5), connection="a1")

    left = {name.decode(): await shared.redis.ttl(name) for name in await shared.redis.keys("*")}
    await shared.redis.aclose()

    day = left.pop("presence:r:seen")
    assert 0 < day <= 24 * 3600
    assert len(left) == 3
    assert all(0 < seconds <= 2 * settings.PRESENCE_LEASE_SECONDS for seconds in left.values())


async def test_while_redis_does_not_answer_nobody_waits_twice():
    shared = SharedLeases("redis://127.0.0.1:9/0")
    store = RedisPresence(shared)

    for _ in range(2):
        with pytest.raises(LeasesUnavailable):
            await store.audiences(["r"])
