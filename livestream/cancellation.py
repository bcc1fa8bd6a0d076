"""Ending what runs in the background of an event loop.

Before Python 3.12 `asyncio.wait_for` loses a cancellation that arrives together with its result (CPython issue 86296),
and the client of Redis waits with it: a loop that asks Redis may go on as if nobody had cancelled it.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

# Longer than any job takes to finish what it began; asking again would interrupt that.
PATIENCE_SECONDS = 6.0


def heed_cancellation() -> None:
    """Raise CancelledError where this task was cancelled and what it awaited has kept that to itself."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, again after a while if need be, and return when they have ended; what they raised is not told."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        ended, left = await asyncio.wait(left, timeout=PATIENCE_SECONDS)
        await asyncio.gather(*ended, return_exceptions=True)
