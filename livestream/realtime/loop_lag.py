"""The lag of the event loop, by which all other waiting work is delayed as well."""

import asyncio

from livestream.metrics import LOOP_LAG, TASKS

INTERVAL_SECONDS = 0.05
COUNT_EVERY = 20


async def measure_loop_lag() -> None:
    """Until cancelled, measure how much later than requested the loop resumes, and sometimes its number of tasks."""
    loop = asyncio.get_running_loop()
    rounds = 0
    while True:
        due = loop.time() + INTERVAL_SECONDS
        await asyncio.sleep(INTERVAL_SECONDS)
        LOOP_LAG.observe(max(0.0, loop.time() - due))
        rounds += 1
        if rounds % COUNT_EVERY == 0:
            TASKS.set(len(asyncio.all_tasks(loop)))
