"""Viewer counts and the host's presence are right after the same faults, from every source."""

import asyncio
import time

import pytest

from tests.faults.conftest import LEASE_SECONDS
from tests.faults.proxy import Proxy
from tests.faults.storm import SIZE, Room, sized, storm
from tests.live import Api

STATE = "SELECT state, viewer_count FROM streams_streamsession WHERE id = %s"


async def told(room: Room, count: int, observers: list, *, seconds: float) -> float:
    """Return seconds until the database and all observers report this count; infinity when they do not in time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        rows = await asyncio.to_thread(room.cluster.sql, STATE, room.session_id)
        if rows[0][1] == count and all(one.counts and one.counts[-1][1] == count for one in observers):
            return time.monotonic() - began
        await asyncio.sleep(0.05)
    return float("inf")


async def open_with(cluster, *, stay: int, go: int) -> tuple[Room, list, list]:
    """Open a room with people on the first worker and people on the second, all distinct."""
    room = await Room.open(cluster)
    staying = [room.client("", person=person, turn=0) for person in cluster.crowd[:stay]]
    going = [room.client("", person=person, turn=1) for person in cluster.crowd[stay : stay + go]]
    await asyncio.gather(*(client.greeted() for client in room.clients))
    return room, staying, going


async def test_closed_tabs_are_gone_everywhere_within_two_seconds(cluster, row):
    room, staying, going = await open_with(cluster, stay=4, go=8)
    try:
        before = await told(room, 12, staying, seconds=5)
        await asyncio.gather(*(client.stop() for client in going))
        after = await told(room, 4, staying, seconds=5)
    finally:
        await room.leave()

    row("tabs closed", count_up_s=round(before, 2), count_down_s=round(after, 2))
    assert before <= 3
    assert after <= 2


@pytest.mark.nightly
async def test_a_viewer_whose_cable_was_pulled_is_not_counted_for_long(cluster, row):
    """Only the unanswered ping reveals it. In CI the server pings more often (2 s, timeout 2 s)."""
    room = await Room.open(cluster)
    ping = sized({"ws-ping-interval": 2, "ws-ping-timeout": 2}, {})
    with cluster.extra_worker(**ping) as web:
        cable = Proxy(cluster.thread, web.port)
        try:
            stays = room.client("", person=cluster.crowd[0], addresses=[web.socket_url])
            lost = room.client("", person=cluster.crowd[1], addresses=[f"ws://127.0.0.1:{cable.port}"])
            await asyncio.gather(stays.greeted(), lost.greeted())
            assert await told(room, 2, [stays], seconds=5) <= 5
            cable.hole()
            lost.finished = True
            right = await told(room, 1, [stays], seconds=40)
        finally:
            await room.leave()
            cable.close()

    row("a client's cable pulled", ping=ping or "20 s, patience 10 s", right_s=round(right, 2))
    assert right <= sized(8, 35)


async def test_viewers_of_a_killed_worker_who_come_back_are_not_counted_twice(cluster, row):
    room, staying, going = await open_with(cluster, stay=4, go=8)
    try:
        assert await told(room, 12, staying, seconds=5) <= 5
        began = time.monotonic()
        cluster.kill_worker(1)
        await asyncio.sleep(0.5)
        await asyncio.gather(*(client.greeted(20) for client in going))
        right = await told(room, 12, staying + going, seconds=LEASE_SECONDS + 5)
        await asyncio.sleep(2)
        counts = [count for client in staying for at, count in client.counts if at >= began]
    finally:
        await room.leave()

    row("kill -9 of a worker, its viewers come back", right_s=round(right, 2), counts=sorted(set(counts)))
    assert right <= LEASE_SECONDS + 5
    assert all(0 <= count <= 12 for count in counts)


@pytest.mark.nightly
async def test_viewers_of_a_killed_worker_who_stay_away_are_gone_when_their_leases_are(cluster, row):
    room, staying, going = await open_with(cluster, stay=4, go=8)
    try:
        assert await told(room, 12, staying, seconds=5) <= 5
        cluster.kill_worker(1)
        for client in going:
            client.finished = True
        right = await told(room, 4, staying, seconds=LEASE_SECONDS + 10)
        lowest = min(count for client in staying for _, count in client.counts)
    finally:
        await room.leave()

    row("kill -9 of a worker, its viewers stay away", lease_s=LEASE_SECONDS, right_s=round(right, 2), lowest=lowest)
    assert right <= LEASE_SECONDS + 5
    assert lowest >= 0


@pytest.mark.nightly
async def test_after_redis_was_restarted_empty_the_count_is_right_again(cluster, row):
    room, staying, going = await open_with(cluster, stay=4, go=8)
    try:
        assert await told(room, 12, staying, seconds=5) <= 5
        cluster.kill_redis()
        await asyncio.to_thread(cluster.start_redis)
        await asyncio.sleep(1)
        right = await told(room, 12, staying + going, seconds=20)
        await asyncio.sleep(2)
        still = await told(room, 12, staying + going, seconds=3)
    finally:
        await room.leave()

    row("Redis restarted empty", right_s=round(right + 1, 2))
    assert right <= 14
    assert still <= 3


@pytest.mark.alone
@pytest.mark.nightly
async def test_after_a_storm_everybody_tells_the_same_state(cluster, row):
    answers: list[tuple[str, object, object]] = []

    async def script(room: Room) -> None:
        cluster.kill_worker(0)
        cluster.kill_redis()
        await asyncio.to_thread(cluster.start_worker, 0)
        await asyncio.to_thread(cluster.start_redis)
        paused = await asyncio.to_thread(
            Api(room.host.url, room.host.access).post, f"sessions/{room.session_id}/pause/"
        )
        assert paused.status == 200, paused
        await asyncio.sleep(SIZE.seconds)
        people = {client.name for client in room.clients if client._access}
        observer = room.client("observer", turn=1)
        await observer.greeted()
        visitors = sum(1 for client in room.clients if not client._access)
        # Anonymous viewers without a cookie are new each time: earlier ones are counted until their leases end.
        await told(room, len(people) + visitors, [observer], seconds=LEASE_SECONDS + 5)
        rows = await asyncio.to_thread(cluster.sql, STATE, room.session_id)
        answers.append(("database", *rows[0]))
        for index, worker in enumerate(cluster.workers):
            session = await asyncio.to_thread(
                type(cluster.live.anybody)(worker.url).get, f"sessions/{room.session_id}/"
            )
            answers.append((f"api {index}", session.data["state"], session.data["viewer_count"]))
        for index in range(2):
            late = room.client(f"late-{index}", person=cluster.crowd[0], turn=index)
            await late.greeted()
            answers.append((f"snapshot {index}", late.session["state"], late.counts[-1][1]))

    outcome = await storm(cluster, script)

    row("state after a storm", answers={name: f"{state}/{count}" for name, state, count in answers})
    assert outcome.verdict.findings == []
    assert len({(state, count) for _, state, count in answers}) == 1
