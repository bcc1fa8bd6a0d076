"""Delivery while web processes are killed, restarted and frozen: acknowledged messages stay, no duplicates, one
order for everybody."""

import asyncio
import signal

import pytest

from tests.faults.storm import SIZE, Room, Size, sized, storm

KILLS = sized(2, 5)


@pytest.mark.nightly
async def test_a_storm_without_faults_shows_everybody_everything_once(cluster, row):
    outcome = await storm(cluster)

    row("no fault", **outcome.summary())
    assert outcome.verdict.findings == []
    assert {one.outcome for one in outcome.sent} == {"ok"}
    assert outcome.codes == {}


async def test_workers_that_are_killed_lose_nothing_that_was_acknowledged(cluster, row):
    async def script(room: Room) -> None:
        for number in range(KILLS):
            index = number % 2
            async with room.fault(f"kill {number}"):
                cluster.kill_worker(index)
                await asyncio.to_thread(cluster.start_worker, index)
            await asyncio.sleep(sized(0.5, 10))

    outcome = await storm(cluster, script)

    row(f"kill -9 of a worker, {KILLS} times", **outcome.summary())
    assert outcome.verdict.findings == []
    assert {one.outcome for one in outcome.sent} == {"ok"}
    assert outcome.recovery() is not None and outcome.recovery() <= 10


@pytest.mark.nightly
async def test_a_rolling_restart_tells_every_client_to_come_back(cluster, row):
    left: list[float] = []

    async def script(room: Room) -> None:
        for index in range(2):
            left.append(await asyncio.to_thread(cluster.end_worker, index))
            await asyncio.to_thread(cluster.start_worker, index)
            await asyncio.sleep(0.5)

    outcome = await storm(cluster, script, size=sized(Size(viewers=100), SIZE))

    closes = sorted(close.at for client in outcome.clients for close in client.closes)
    starts = [place for place, at in enumerate(closes) if place == 0 or at - closes[place - 1] > 1]
    waves = [closes[first:last] for first, last in zip(starts, [*starts[1:], len(closes)], strict=True)]
    spread = [wave[-1] - wave[0] for wave in waves]
    row(
        "rolling restart by SIGTERM",
        worker_gone_s=round(max(left), 2),
        spread_s=[round(one, 2) for one in spread],
        **outcome.summary(),
    )
    assert outcome.verdict.findings == []
    assert {one.outcome for one in outcome.sent} == {"ok"}
    assert set(outcome.codes) == {4000}
    assert max(outcome.downs) <= 5
    assert max(left) <= 30


@pytest.mark.nightly
async def test_a_frozen_worker_goes_on_where_it_was(cluster, row):
    async def script(room: Room) -> None:
        async with room.fault("freeze"):
            cluster.signal_worker(0, signal.SIGSTOP)
            await asyncio.sleep(sized(5, 20))
            cluster.signal_worker(0, signal.SIGCONT)

    outcome = await storm(cluster, script)

    row(f"SIGSTOP of a worker for {sized(5, 20)} s", frozen=True, **outcome.summary())
    assert outcome.verdict.findings == []
    assert {one.outcome for one in outcome.sent} == {"ok"}
    assert outcome.recovery() is not None and outcome.recovery() <= 35
