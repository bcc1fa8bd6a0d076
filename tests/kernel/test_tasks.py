"""Background tasks end, even where an awaited call swallows their cancellation."""

import asyncio
from collections.abc import Iterator

import pytest

from livestream import cancellation
from livestream.cancellation import end_all, heed_cancellation


class Selfish:
    """Awaits like `asyncio.wait_for` of Python 3.11 in its worst moment: the first cancellation is not passed on."""

    def __init__(self) -> None:
        self.kept = False

    def __await__(self) -> Iterator[object]:
        try:
            yield from asyncio.sleep(60).__await__()
        except asyncio.CancelledError:
            if self.kept:
                raise
            self.kept = True


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellation, "PATIENCE_SECONDS", 0.1)


async def test_a_task_that_lost_its_cancellation_is_asked_again() -> None:
    waits = Selfish()

    async def loop() -> None:
        while True:
            await waits

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await end_all([task])

    assert waits.kept and task.cancelled()


async def test_a_loop_that_looks_ends_at_once() -> None:
    waits = Selfish()

    async def loop() -> None:
        while True:
            await waits
            heed_cancellation()

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    task.cancel()
    ended, _ = await asyncio.wait([task], timeout=0.05)

    assert ended == {task} and task.cancelled()


async def test_what_a_task_finishes_meanwhile_is_waited_for_and_what_it_raises_hurts_nobody() -> None:
    finished = []

    async def careful() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            finished.append(True)

    async def broken() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("broken")

    running = [asyncio.create_task(careful()), asyncio.create_task(broken())]
    await asyncio.sleep(0)
    await end_all(running)

    assert finished == [True] and all(task.done() for task in running)


async def test_who_was_not_cancelled_goes_on() -> None:
    async with asyncio.timeout(1):
        heed_cancellation()
    await end_all([])
