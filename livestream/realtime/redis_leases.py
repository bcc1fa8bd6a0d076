"""Redis as the keeper of leases: asked for a second at most, several commands a round trip, and left alone after a
failure: sockets open and close meanwhile, and none of them needs to find out by itself."""

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


class LeasesAway(Exception):
    """The keeper of leases does not answer at the moment; nobody needs to wait for it to find out."""


class SharedLeases:
    """One Redis that all processes ask."""

    def __init__(self, url: str) -> None:
        self.away_until = 0.0
        # A crowd that comes at once waits for a connection instead of being told that Redis is away.
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
        """The answers to the commands that `fill` puts into a pipeline; `together` as one transaction.

        Raises LeasesAway: at once for a second after a failure.
        """
        if time.monotonic() < self.away_until:
            raise LeasesAway
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self.redis.pipeline(transaction=together) as pipe:
                fill(pipe)
                answers: list[Any] = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            if time.monotonic() >= self.away_until:  # of the many who waited together, one says so
                logger.warning("leases not kept, Redis does not answer error=%r", error)
            self.away_until = time.monotonic() + AWAY_SECONDS
            raise LeasesAway from error
        return answers
