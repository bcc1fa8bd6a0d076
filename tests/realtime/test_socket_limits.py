"""Limits on a holder's open sockets, in one process and in several."""

import pytest

from livestream.realtime import socket_limits
from livestream.realtime.redis_leases import SharedLeases
from livestream.realtime.socket_limits import SocketHolder, SocketLimits

BEN = SocketHolder("person", "ben", 3)
EVE = SocketHolder("person", "eve", 3)


@pytest.fixture
async def processes(redis_server):
    """Two processes that share a Redis."""
    made = [SocketLimits(SharedLeases(redis_server.url)) for _ in range(2)]
    await made[0]._shared.redis.flushdb()
    yield made
    for one in made:
        await one._shared.redis.aclose()


async def test_one_too_many_is_refused_and_nobody_else_is():
    limits = SocketLimits(None)

    taken = [await limits.take(holder=BEN, connection=f"c{number}") for number in range(5)]

    assert taken == [True, True, True, False, False]
    assert await limits.take(holder=EVE, connection="e")


async def test_who_closes_one_may_open_another():
    limits = SocketLimits(None)
    for number in range(3):
        await limits.take(holder=BEN, connection=f"c{number}")

    await limits.give_back(holder=BEN, connection="c1")
    await limits.give_back(holder=BEN, connection="never taken")

    assert [await limits.take(holder=BEN, connection=f"d{number}") for number in range(2)] == [True, False]
    assert limits.count() == 3


async def test_a_limit_of_nothing_is_no_limit():
    limits = SocketLimits(None)

    assert all([await limits.take(holder=SocketHolder("address", "a", 0), connection=str(n)) for n in range(1000)])
    assert limits.count() == 0


async def test_processes_count_together(processes):
    here, there = processes

    taken = [await processes[number % 2].take(holder=BEN, connection=f"c{number}") for number in range(6)]
    await there.give_back(holder=BEN, connection="c1")

    assert taken == [True, True, True, False, False, False]
    assert await here.take(holder=BEN, connection="another")
    assert not await there.take(holder=BEN, connection="one more")


async def test_what_a_killed_process_held_is_free_when_its_leases_have_run_out(processes, monkeypatch, settings):
    here, killed = processes
    for number in range(3):
        assert await killed.take(holder=BEN, connection=f"c{number}")
    assert not await here.take(holder=BEN, connection="d")
    now = socket_limits.time.time()

    class Later:
        @staticmethod
        def time():
            return now + settings.PRESENCE_LEASE_SECONDS + 1

    monkeypatch.setattr(socket_limits, "time", Later)
    assert [await here.take(holder=BEN, connection=f"d{number}") for number in range(4)] == [True, True, True, False]


async def test_after_redis_was_emptied_what_is_open_is_counted_again(processes):
    here, there = processes
    for number in range(3):
        await there.take(holder=BEN, connection=f"c{number}")
    await there._shared.redis.flushdb()

    await there.renew()

    assert not await here.take(holder=BEN, connection="d")


async def test_without_redis_each_process_counts_alone():
    limits = SocketLimits(SharedLeases("redis://127.0.0.1:9/0"))

    taken = [await limits.take(holder=BEN, connection=f"c{number}") for number in range(5)]

    assert taken == [True, True, True, False, False]
