"""Presence in rooms: leases that sockets refresh and that expire. Counts are derived from them, never stored."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings

from livestream.realtime.redis_leases import SharedLeases

SEEN_SECONDS = 24 * 3600
# Bounds of a process's memory of earlier visitors, which anonymous clients could otherwise fill with names.
SEEN_ROOMS = 1_000
SEEN_PEOPLE = 50_000


@dataclass(frozen=True)
class Audience:
    """The viewers of a room: distinct people, and their total number of connections."""

    people: frozenset[str] = frozenset()
    connections: int = 0

    @classmethod
    def of(cls, persons: Iterable[str]) -> "Audience":
        """Return the audience, given the person of each connection."""
        listed = list(persons)
        return cls(frozenset(listed), len(listed))


class PresenceStore(Protocol):
    """Leases of connections, by room. Every method may raise LeasesUnavailable."""

    async def arrive(self, *, room: str, connection: str, person: str) -> bool:
        """Take a lease. Return whether it is the person's first visit."""

    async def touch(self, *, rooms: dict[str, dict[str, str]]) -> None:
        """Take or refresh leases: room -> connection name -> person."""

    async def drop(self, *, room: str, connection: str, person: str) -> None:
        """Release a lease. Releasing an unknown one changes nothing."""

    async def audiences(self, rooms: list[str]) -> dict[str, Audience]:
        """Return the holders of current leases in each room."""

    async def first_visit(self, *, room: str, person: str) -> bool:
        """Note a person. Return whether it is their first visit."""

    def forget(self, room: str) -> None:
        """Drop cached data of a room without sockets in this process."""


class MemoryPresence:
    """Presence within a single process."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, tuple[str, float]]] = defaultdict(dict)
        self._seen: dict[str, set[str]] = {}

    async def arrive(self, *, room: str, connection: str, person: str) -> bool:
        await self.touch(rooms={room: {connection: person}})
        return await self.first_visit(room=room, person=person)

    async def touch(self, *, rooms: dict[str, dict[str, str]]) -> None:
        until = time.monotonic() + settings.PRESENCE_LEASE_SECONDS
        for room, leases in rooms.items():
            self._rooms[room].update({name: (person, until) for name, person in leases.items()})

    async def drop(self, *, room: str, connection: str, person: str) -> None:
        leases = self._rooms.get(room)
        if leases is not None:
            leases.pop(connection, None)
            if not leases:
                del self._rooms[room]

    async def audiences(self, rooms: list[str]) -> dict[str, Audience]:
        return {room: self._audience(room) for room in rooms}

    def _audience(self, room: str) -> Audience:
        now = time.monotonic()
        leases = self._rooms.get(room, {})
        for name in [name for name, (_, until) in leases.items() if until < now]:
            del leases[name]
        return Audience.of(person for person, _ in leases.values())

    async def first_visit(self, *, room: str, person: str) -> bool:
        seen = self._seen.pop(room, set())
        self._seen[room] = seen  # the least recently used room comes first
        if len(self._seen) > SEEN_ROOMS:
            del self._seen[next(iter(self._seen))]
        if person in seen or len(seen) >= SEEN_PEOPLE:
            return False
        seen.add(person)
        return True

    def forget(self, room: str) -> None:
        pass


class RedisPresence:
    """Presence shared by several processes: one sorted set per room, scored by the expiry of the lease.

    A counter beside it changes with every arrival, departure and renewal, so that an unchanged room is not read again
    each second. A room's keys expire soon after its last lease, except the set of past visitors.
    """

    def __init__(self, shared: SharedLeases) -> None:
        self._shared = shared
        self._known: dict[str, tuple[tuple[Any, Any], Audience]] = {}

    async def arrive(self, *, room: str, connection: str, person: str) -> bool:
        def commands(pipe: Any) -> None:
            self._take(pipe, room, {connection: person})
            pipe.sadd(_seen(room), person)
            pipe.expire(_seen(room), SEEN_SECONDS)

        return bool((await self._shared.ask(commands))[-2])

    async def touch(self, *, rooms: dict[str, dict[str, str]]) -> None:
        def commands(pipe: Any) -> None:
            for room, leases in rooms.items():
                self._take(pipe, room, leases)

        await self._shared.ask(commands)

    @staticmethod
    def _take(pipe: Any, room: str, leases: dict[str, str]) -> None:
        seconds = settings.PRESENCE_LEASE_SECONDS
        until = time.time() + seconds
        pipe.zadd(_leases(room), {f"{name}|{person}": until for name, person in leases.items()})
        pipe.expire(_leases(room), 2 * seconds)
        pipe.incr(_changes(room))
        pipe.expire(_changes(room), 2 * seconds)

    async def drop(self, *, room: str, connection: str, person: str) -> None:
        def commands(pipe: Any) -> None:
            pipe.zrem(_leases(room), f"{connection}|{person}")
            pipe.incr(_changes(room))
            pipe.expire(_changes(room), 2 * settings.PRESENCE_LEASE_SECONDS)

        await self._shared.ask(commands)

    async def audiences(self, rooms: list[str]) -> dict[str, Audience]:
        def states(pipe: Any) -> None:
            for room in rooms:
                pipe.zremrangebyscore(_leases(room), "-inf", time.time())
                pipe.zcard(_leases(room))
                pipe.get(_changes(room))

        if not rooms:
            return {}
        answers = await self._shared.ask(states)
        now = {room: (answers[3 * index + 1], answers[3 * index + 2]) for index, room in enumerate(rooms)}
        changed = [room for room in rooms if room not in self._known or self._known[room][0] != now[room]]
        if changed:
            members = await self._shared.ask(lambda pipe: [pipe.zrange(_leases(room), 0, -1) for room in changed])
            for room, leases in zip(changed, members, strict=True):
                people = (_text(lease).partition("|")[2] for lease in leases)
                self._known[room] = (now[room], Audience.of(people))
        return {room: self._known[room][1] for room in rooms}

    def forget(self, room: str) -> None:
        self._known.pop(room, None)

    async def first_visit(self, *, room: str, person: str) -> bool:
        def commands(pipe: Any) -> None:
            pipe.sadd(_seen(room), person)
            pipe.expire(_seen(room), SEEN_SECONDS)

        return bool((await self._shared.ask(commands))[0])


def _leases(room: str) -> str:
    return f"presence:{room}:leases"


def _changes(room: str) -> str:
    return f"presence:{room}:changes"


def _seen(room: str) -> str:
    return f"presence:{room}:seen"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
