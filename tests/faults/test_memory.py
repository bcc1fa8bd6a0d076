"""Closed connections leave nothing behind: memory, descriptors, tasks, keys, database connections."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest

from tests.faults.cluster import Cluster
from tests.faults.conftest import LEASE_SECONDS
from tests.faults.raw import raw_connect
from tests.faults.storm import Room, sized
from tests.faults.watch import descriptors, memory_bytes, metric

CHURN = sized(1000, 5000)
AT_ONCE = 50
SOAK_SECONDS = float(os.environ.get("SOAK_MINUTES", sized("1.5", "120"))) * 60
SOAK_SOCKETS = sized(60, 200)
SAMPLE_SECONDS = sized(2.0, 10.0)
POOL = 20


@dataclass
class Footprint:
    """The resources of one worker, and of the stores for it."""

    memory_mb: float
    descriptors: int
    tasks: int
    keys: int
    backends: int

    @classmethod
    def of(cls, cluster: Cluster, index: int) -> "Footprint":
        web = cluster.workers[index]
        backends = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ''"
        with cluster.redis_client() as redis:
            keys = redis.dbsize()
        return cls(
            memory_mb=round(memory_bytes(web.process.pid) / 1e6, 1),
            descriptors=descriptors(web.process.pid),
            tasks=int(metric(web.url, "livestream_tasks")),
            keys=keys,
            backends=int(cluster.sql(backends)[0][0]),
        )


async def churn(cluster: Cluster, session_id: str, count: int, at_once: int = AT_ONCE) -> None:
    """Open and drop a number of sockets at the first worker."""
    left = count

    async def come_and_go() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            raw = await raw_connect(cluster.workers[0].port)
            await raw.upgrade(session_id)
            await raw.read_frame()
            raw.close()

    await asyncio.gather(*(come_and_go() for _ in range(at_once)))


async def settled(cluster: Cluster, sockets: float, *, until: Callable[[Footprint], bool] | None = None) -> Footprint:
    """Return the first worker's footprint once it has noticed the closed sockets, and keys have expired.

    With `until`, as soon as that holds; without, when the leases are over.
    """
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        if await asyncio.to_thread(metric, cluster.workers[0].url, "livestream_sockets") <= sockets:
            break
    over = time.monotonic() + 2 * LEASE_SECONDS + 2
    while True:
        footprint = await asyncio.to_thread(Footprint.of, cluster, 0)
        if time.monotonic() > over or (until is not None and until(footprint)):
            return footprint
        await asyncio.sleep(0.5)


@pytest.mark.nightly
async def test_sockets_that_came_and_went_leave_nothing_behind(cluster, row):
    room = await Room.open(cluster)
    try:
        stays = room.client("stays", turn=0)
        await stays.greeted()
        sockets = metric(cluster.workers[0].url, "livestream_sockets")
        # The resources that a process keeps for good exist after that: threads, and connections to the stores.
        await churn(cluster, room.session_id, CHURN, at_once=4 * AT_ONCE)
        before = await settled(cluster, sockets)
        began = time.monotonic()
        await churn(cluster, room.session_id, CHURN)
        seconds = time.monotonic() - began

        def nothing_left(now: Footprint) -> bool:
            return (
                now.memory_mb <= 1.05 * before.memory_mb
                and now.descriptors <= before.descriptors + 2
                and now.tasks <= before.tasks + 2
                and now.keys <= before.keys
            )

        after = await settled(cluster, sockets, until=nothing_left)
    finally:
        await room.leave()

    row(f"{CHURN} came and went", per_second=round(CHURN / seconds), before=asdict(before), after=asdict(after))
    assert nothing_left(after), (before, after)
    assert stays.closes == []


def slope_per_hour(samples: list[tuple[float, float]]) -> float:
    """Return the slope of a value per hour, by least squares."""
    mean_at = sum(at for at, _ in samples) / len(samples)
    mean = sum(value for _, value in samples) / len(samples)
    spread = sum((at - mean_at) ** 2 for at, _ in samples)
    return 3600 * sum((at - mean_at) * (value - mean) for at, value in samples) / spread if spread else 0.0


@pytest.mark.nightly
async def test_a_long_evening_costs_no_more_at_its_end_than_at_its_beginning(cluster, row):
    """Sockets come and go, people chat. Two hours in full (SOAK_MINUTES); CI detects only a fast leak."""
    room = await Room.open(cluster)
    samples: list[tuple[float, list[Footprint]]] = []
    logged = [cluster.log(index).stat().st_size for index in range(2)]
    try:
        talkers = [room.client("", person=person) for person in cluster.crowd[:4]]
        await asyncio.gather(*(client.greeted() for client in talkers))
        began, number = time.monotonic(), 0
        coming: set[asyncio.Task[None]] = set()
        while (now := time.monotonic() - began) < SOAK_SECONDS:
            await talkers[number % len(talkers)].say(f"soak {number}", client_id=f"soak-{number}")
            number += 1
            while len(coming) < SOAK_SOCKETS:
                task = asyncio.create_task(stay_a_while(cluster, room.session_id, len(coming) + number))
                coming.add(task)
                task.add_done_callback(coming.discard)
            if not samples or now - samples[-1][0] >= SAMPLE_SECONDS:
                samples.append((now, await asyncio.to_thread(lambda: [Footprint.of(cluster, i) for i in range(2)])))
            await asyncio.sleep(0.5)
        for task in coming:
            task.cancel()
        await asyncio.gather(*coming, return_exceptions=True)
    finally:
        await room.leave()

    warm = [sample for sample in samples if sample[0] >= SOAK_SECONDS * sized(0.5, 1 / 6)]
    slopes = [slope_per_hour([(at, prints[index].memory_mb) for at, prints in warm]) for index in range(2)]
    grown = [warm[-1][1][index].memory_mb - warm[0][1][index].memory_mb for index in range(2)]
    backends = max(prints[0].backends for _, prints in samples)
    new_logs = [cluster.log(index).read_text(errors="replace")[logged[index] :] for index in range(2)]
    tracebacks = sum(text.count("Traceback") for text in new_logs)
    row(
        f"soak of {SOAK_SECONDS / 60:g} min",
        memory_mb_per_hour=[round(slope, 2) for slope in slopes],
        memory_grown_mb=[round(one, 2) for one in grown],
        first=asdict(samples[0][1][0]),
        last=asdict(samples[-1][1][0]),
        backends_max=backends,
        tracebacks=tracebacks,
    )
    assert tracebacks == 0
    assert backends <= 2 * POOL
    assert max(grown) <= sized(5.0, 2.0)
    if SOAK_SECONDS >= 3600:
        assert max(slopes) < 1.0


async def stay_a_while(cluster: Cluster, session_id: str, number: int) -> None:
    """Watch for a while, then leave; half of them without a close frame."""
    raw = await raw_connect(cluster.workers[number % 2].port)
    try:
        await raw.upgrade(session_id)
        async with asyncio.timeout(sized(5, 30) * (0.5 + number % 11 / 10)):
            while True:
                await raw.read_frame()
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        pass
    finally:
        raw.close() if number % 2 else raw.writer.close()
