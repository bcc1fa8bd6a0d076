"""Who is in a room: leases that sockets refresh and that run out by themselves. Counts are derived, never kept."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from django.conf import settings
from redis import asyncio as redis
from redis.exceptions import RedisError

KEY_SECONDS = 24 * 3600
CONNECTIONS = 32
# What one process remembers of who was there before; past that a stranger could fill its memory with names.
SEEN_ROOMS = 1_000
SEEN_PEOPLE = 50_000
ANSWER_SECONDS = 1.0
AWAY_SECONDS = 1.0

logger = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


class PresenceAway(Exception):
    """The store does not answer at the moment; nobody needs to wait for it to find out."""


class PresenceStore(Protocol):
    """Leases of connections, by room. Every method may raise PresenceAway."""

    async def touch(self, *, room: str, leases: dict[str, str]) -> None:
        """Take or refresh leases: connection name -> person."""

    async def drop(self, *, room: str, connection: str) -> None:
        """Give a lease up. Dropping an unknown one changes nothing."""

    async def people(self, *, room: str) -> set[str]:
        """The persons with at least one lease in force."""

    async def first_visit(self, *, room: str, person: str) -> bool:
        """Note a person; whether it is for the first time."""


class MemoryPresence:
    """Presence of a single process."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, tuple[str, float]]] = defaultdict(dict)
        self._seen: dict[str, set[str]] = {}

    async def touch(self, *, room: str, leases: dict[str, str]) -> None:
        until = time.monotonic() + settings.PRESENCE_LEASE_SECONDS
        self._rooms[room].update({name: (person, until) for name, person in leases.items()})

    async def drop(self, *, room: str, connection: str) -> None:
        leases = self._rooms.get(room)
        if leases is not None:
            leases.pop(connection, None)
            if not leases:
                del self._rooms[room]

    async def people(self, *, room: str) -> set[str]:
        now = time.monotonic()
        leases = self._rooms.get(room, {})
        for name in [name for name, (_, until) in leases.items() if until < now]:
            del leases[name]
        return {person for person, _ in leases.values()}

    async def first_visit(self, *, room: str, person: str) -> bool:
        seen = self._seen.pop(room, set())
        self._seen[room] = seen  # the rooms that were quiet longest come first
        if len(self._seen) > SEEN_ROOMS:
            del self._seen[next(iter(self._seen))]
        if person in seen or len(seen) >= SEEN_PEOPLE:
            return False
        seen.add(person)
        return True


def _bounded(
    method: Callable[Concatenate["RedisPresence", P], Awaitable[R]],
) -> Callable[Concatenate["RedisPresence", P], Coroutine[Any, Any, R]]:
    """Ask Redis for a second at most; after a failure, not at all for a second: sockets open and close meanwhile."""

    @wraps(method)
    async def asked(self: "RedisPresence", *args: P.args, **kwargs: P.kwargs) -> R:
        if time.monotonic() < self.away_until:
            raise PresenceAway
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await method(self, *args, **kwargs)
        except (RedisError, OSError, TimeoutError) as error:
            self.away_until = time.monotonic() + AWAY_SECONDS
            logger.warning("presence does not answer error=%r", error)
            raise PresenceAway from error

    return asked


class RedisPresence:
    """Presence that several processes share: one sorted set a room, scored by when the lease runs out."""

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
        self._redis: redis.Redis = redis.Redis(connection_pool=pool)

    @_bounded
    async def touch(self, *, room: str, leases: dict[str, str]) -> None:
        until = time.time() + settings.PRESENCE_LEASE_SECONDS
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(self._leases(room), {f"{name}|{person}": until for name, person in leases.items()})
            pipe.hset(self._names(room), mapping=leases)  # type: ignore[arg-type]
            pipe.expire(self._leases(room), KEY_SECONDS)
            pipe.expire(self._names(room), KEY_SECONDS)
            await pipe.execute()

    @_bounded
    async def drop(self, *, room: str, connection: str) -> None:
        person = await self._redis.hget(self._names(room), connection)
        if person is not None:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zrem(self._leases(room), f"{connection}|{_text(person)}")
                pipe.hdel(self._names(room), connection)
                await pipe.execute()

    @_bounded
    async def people(self, *, room: str) -> set[str]:
        now = time.time()
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zremrangebyscore(self._leases(room), "-inf", now)
            pipe.zrange(self._leases(room), 0, -1)
            _, members = await pipe.execute()
        return {_text(member).partition("|")[2] for member in members}

    @_bounded
    async def first_visit(self, *, room: str, person: str) -> bool:
        key = f"presence:{room}:seen"
        added = await self._redis.sadd(key, person)
        await self._redis.expire(key, KEY_SECONDS)
        return bool(added)

    @staticmethod
    def _leases(room: str) -> str:
        return f"presence:{room}:leases"

    @staticmethod
    def _names(room: str) -> str:
        return f"presence:{room}:names"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def presence_store() -> PresenceStore:
    """The store that the settings ask for."""
    return RedisPresence(settings.REDIS_URL) if settings.REDIS_URL else MemoryPresence()
