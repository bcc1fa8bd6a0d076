"""Background jobs of an event loop: started together, restarted on failure, stopped together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from livestream.cancellation import end_all

RESTART_SECONDS = 1.0

logger = logging.getLogger(__name__)
Job = Callable[[], Awaitable[None]]


class BackgroundJobs:
    """Runs jobs until `stop`. A job that raises is logged and restarted; one that returns is done."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(_supervise(job)) for job in jobs]

    async def stop(self) -> None:
        """Cancel the jobs and return when they have ended."""
        await end_all(self._tasks)


async def _supervise(job: Job) -> None:
    while True:
        try:
            await job()
            return
        except Exception:
            name = getattr(job, "__qualname__", repr(job))
            logger.exception("background job failed, starting it again job=%s", name)
            await asyncio.sleep(RESTART_SECONDS)
