"""Leases in Redis. Each request takes a second at most, with several commands per round trip. After a failure Redis
is not asked for a second, so that sockets that open and close need not each wait for it."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from redis import asyncio as redis
from redis.exceptions import RedisError

CONNECTIONS = 32
ANSWER_SECONDS = 1.0
AWAY_SECONDS = 1.0

logger = logging.getLogger(__name__)
Fill = Callable[[Any], Any]


class LeasesUnavailable(Exception):
    """Redis, which stores the leases, does not respond. Callers need not wait to find out."""


class SharedLeases:
    """The Redis shared by all processes."""

    def __init__(self, url: str) -> None:
        self.away_until = 0.0
        # A crowd that arrives at once waits for a connection instead of failing as if Redis were unavailable.
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=1,
            socket_timeout=2,
            socket_connect_timeout=2,
            health_check_interval=10,
        )
        self.redis: redis.Redis = redis.Redis(connection_pool=pool)

    async def ask(self, fill: Fill, *, together: bool = False) -> list[Any]:
        """Return the results of the commands that `fill` puts into a pipeline. With `together` they are one
        transaction.

        Raises LeasesUnavailable, and at once during the second after a failure.
        """
        if time.monotonic() < self.away_until:
            raise LeasesUnavailable
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self.redis.pipeline(transaction=together) as pipe:
                fill(pipe)
                answers: list[Any] = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            if time.monotonic() >= self.away_until:  # log once for many that waited together
                logger.warning("leases not kept, Redis does not answer error=%r", error)
            self.away_until = time.monotonic() + AWAY_SECONDS
            raise LeasesUnavailable from error
        return answers
