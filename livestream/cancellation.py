"""Cancellation of background tasks of an event loop.

Before Python 3.12 `asyncio.wait_for` loses a cancellation that arrives together with its result (CPython issue 86296).
The Redis client uses it, so a loop that awaits Redis may continue after it was cancelled.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

# Longer than any job needs to finish its current step, which a second cancellation would interrupt.
PATIENCE_SECONDS = 6.0


def heed_cancellation() -> None:
    """Raise CancelledError if this task was cancelled but the awaited code swallowed it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, repeatedly if needed, and return when they have ended. Their exceptions are dropped."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        ended, left = await asyncio.wait(left, timeout=PATIENCE_SECONDS)
        await asyncio.gather(*ended, return_exceptions=True)
