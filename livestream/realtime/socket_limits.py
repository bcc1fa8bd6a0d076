"""Limits on open sockets per holder: a person, or an address for anonymous clients.

Each process counts its own. With Redis the processes count together, by leases as for presence: sockets of a killed
process are free again when their leases expire. While Redis is unavailable each process counts alone.
"""

import hashlib
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings

from livestream.realtime.redis_leases import LeasesUnavailable, SharedLeases

RENEWED_AT_ONCE = 500


@dataclass(frozen=True)
class SocketHolder:
    """A holder of sockets and its limit; 0 is unlimited. Only a hash of the name is stored."""

    kind: str
    name: str
    limit: int

    @property
    def key(self) -> str:
        digest = hashlib.sha256(self.name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return f"sockets:{self.kind}:{digest}"


class SocketLimits:
    """The sockets of this process by holder, and those of all processes if they share a Redis."""

    def __init__(self, shared: SharedLeases | None) -> None:
        self._shared = shared
        self._held: dict[str, set[str]] = defaultdict(set)

    async def take(self, *, holder: SocketHolder, connection: str) -> bool:
        """Count one more socket. Return False without counting it if the limit is reached."""
        if holder.limit < 1:
            return True
        here = self._held[holder.key]
        if len(here) >= holder.limit:
            return False
        here.add(connection)
        if self._shared is not None:
            with suppress(LeasesUnavailable):
                if not await self._take_shared(self._shared, holder, connection):
                    self._forget(holder.key, connection)
                    return False
        return True

    @staticmethod
    async def _take_shared(shared: SharedLeases, holder: SocketHolder, connection: str) -> bool:
        def commands(pipe: Any) -> None:
            now = time.time()
            pipe.zremrangebyscore(holder.key, "-inf", now)
            pipe.zadd(holder.key, {connection: now + settings.PRESENCE_LEASE_SECONDS})
            pipe.expire(holder.key, 2 * settings.PRESENCE_LEASE_SECONDS)
            pipe.zcard(holder.key)

        count: int = (await shared.ask(commands, together=True))[-1]
        if count > holder.limit:
            await shared.ask(lambda pipe: pipe.zrem(holder.key, connection))
        return count <= holder.limit

    async def give_back(self, *, holder: SocketHolder, connection: str) -> None:
        """Release a closed socket. Releasing one that was not counted changes nothing."""
        if self._forget(holder.key, connection) and self._shared is not None:
            with suppress(LeasesUnavailable):  # the lease expires by itself
                await self._shared.ask(lambda pipe: pipe.zrem(holder.key, connection))

    def _forget(self, key: str, connection: str) -> bool:
        held = self._held.get(key)
        if held is None or connection not in held:
            return False
        held.discard(connection)
        if not held:
            del self._held[key]
        return True

    async def renew(self) -> None:
        """Renew the leases of all sockets of this process. Raises LeasesUnavailable."""
        if self._shared is None:
            return
        keys = list(self._held)
        for first in range(0, len(keys), RENEWED_AT_ONCE):
            await self._shared.ask(partial(self._renew, keys[first : first + RENEWED_AT_ONCE]))

    def _renew(self, keys: list[str], pipe: Any) -> None:
        until = time.time() + settings.PRESENCE_LEASE_SECONDS
        for key in keys:
            if held := self._held.get(key):
                pipe.zadd(key, dict.fromkeys(held, until))
                pipe.expire(key, 2 * settings.PRESENCE_LEASE_SECONDS)

    def count(self) -> int:
        """Return the number of counted sockets of this process."""
        return sum(map(len, self._held.values()))
