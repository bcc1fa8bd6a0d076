"""Viewer counts of rooms, over all processes, and their announcement to the rooms.

Each process keeps leases of its sockets in a shared store (`presence`). Once a tick it reads their number, so no
counter is incremented and decremented.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from livestream.database import in_database
from livestream.metrics import VIEWER_CONNECTIONS, VIEWERS
from livestream.realtime.groups import room_group
from livestream.realtime.hub import Hub
from livestream.realtime.presence import Audience, PresenceStore
from livestream.realtime.protocol import encode
from livestream.realtime.redis_leases import LeasesUnavailable
from livestream.realtime.socket_limits import SocketLimits

PRESENCE_TICK_SECONDS = 1.0
REFRESHES_PER_LEASE = 3
# A reloaded page, or one that changes networks, returns within this time.
RETURN_SECONDS = 10.0


class Counts(NamedTuple):
    """The number of distinct viewers, and of their connections."""

    people: int
    connections: int


@dataclass
class Presences:
    """The local sockets of one room and the counts last sent to it. For the `unknown`, it is not yet known whether they
    are new.

    `audience` are the viewers in all processes at the last tick; `came` and `connected` count arrivals here since then.
    `unsettled` means that a client was sent other counts than the room.
    """

    leases: dict[str, str] = field(default_factory=dict)
    visits: dict[str, float] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)
    newcomers: int = 0
    unknown: set[str] = field(default_factory=set)
    sent: Counts | None = None
    audience: Audience | None = None
    came: set[str] = field(default_factory=set)
    connected: int = 0
    unsettled: bool = False

    def note(self, person: str) -> None:
        """Note an arrival through this process."""
        self.connected += 1
        if self.audience is None or person not in self.audience.people:
            self.came.add(person)

    def counts(self) -> Counts:
        """Return the counts as far as this process knows."""
        here = self.audience or Audience()
        return Counts(len(here.people) + len(self.came), here.connections + self.connected)


def viewers_document(counts: Counts) -> str:
    """Return the document with a room's viewer counts."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return encode({"type": "viewers", "ts": now, "data": {"count": counts.people, "connections": counts.connections}})


class AudienceCounter:
    """The audiences of rooms with sockets, or visitors without one, in this process."""

    def __init__(
        self,
        *,
        hub: Hub,
        presence: PresenceStore,
        limits: SocketLimits,
        changed: Callable[[UUID, int, int], None],
        left: Callable[[UUID, list[UUID]], None],
    ) -> None:
        """`changed` gets a session, its number of viewers and how many of them are new. `left` gets a session and
        the people who left. Both run in a database thread."""
        self.loop = asyncio.get_running_loop()
        self.hub, self.presence, self.limits = hub, presence, limits
        self._changed, self._left = changed, left
        self._rooms: dict[UUID, Presences] = {}
        self._unannounced = False
        self._short_tasks: set[asyncio.Task[None]] = set()

    async def enter(self, *, session_id: UUID, connection: str, person: str, counted: bool) -> None:
        """Add a socket to a room. Hosts are present too, but not counted as viewers (`counted` False)."""
        room = self._rooms.setdefault(session_id, Presences())
        if not counted:
            return
        room.leases[connection] = person
        room.note(person)
        try:
            if await self.presence.arrive(room=session_id.hex, connection=connection, person=person):
                room.newcomers += 1
        except LeasesUnavailable:  # no reason to refuse the socket; the tick makes up for it
            room.unknown.add(person)
            self._unannounced = True

    async def exit(self, *, session_id: UUID, connection: str) -> None:
        """Remove a socket from a room."""
        room = self._rooms.get(session_id)
        person = room.leases.pop(connection, None) if room is not None else None
        if room is not None and person is not None:
            room.gone[person] = self.loop.time()
            with suppress(LeasesUnavailable):  # the lease expires by itself
                await self.presence.drop(room=session_id.hex, connection=connection, person=person)

    async def viewers(self, session_id: UUID) -> Counts:
        """Return the counts over all processes: read for the first caller, then as of the last tick plus arrivals
        since."""
        room = self._rooms.get(session_id) or Presences()
        if room.audience is None:
            with suppress(LeasesUnavailable):
                await self._read_audiences({session_id: room})
        counts = room.counts()
        room.unsettled = room.unsettled or counts != room.sent
        return counts

    async def _read_audiences(self, rooms: dict[UUID, Presences]) -> None:
        before = {session_id: (room.came, room.connected) for session_id, room in rooms.items()}
        for room in rooms.values():
            room.came, room.connected = set(), 0
        try:
            audiences = await self.presence.audiences([session_id.hex for session_id in rooms])
        except LeasesUnavailable:
            for session_id, (came, connected) in before.items():
                rooms[session_id].came |= came
                rooms[session_id].connected += connected
            raise
        for session_id, room in rooms.items():
            room.audience = audiences[session_id.hex]
            room.came -= room.audience.people

    def last_count(self, session_id: UUID) -> int:
        """Return the number of viewers at the last tick, as far as this process knows."""
        room = self._rooms.get(session_id)
        return room.sent.people if room is not None and room.sent is not None else 0

    def enter_for(self, *, session_id: UUID, person: str, seconds: float) -> None:
        """Count a viewer without a socket for some seconds."""
        room = self._rooms.setdefault(session_id, Presences())
        room.visits[person] = self.loop.time() + seconds
        entering = self.enter(session_id=session_id, connection=f"api-{person}", person=person, counted=True)
        self._spawn(entering)

    def exit_early(self, *, session_id: UUID, person: str) -> None:
        """Stop counting a viewer without a socket."""
        room = self._rooms.get(session_id)
        if room is not None and room.visits.pop(person, None) is not None:
            self._spawn(self.exit(session_id=session_id, connection=f"api-{person}"))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._short_tasks.add(task)
        task.add_done_callback(self._short_tasks.discard)

    async def _end_visits(self, session_id: UUID, room: Presences) -> None:
        now = self.loop.time()
        for person in [person for person, until in room.visits.items() if until < now]:
            del room.visits[person]
            await self.exit(session_id=session_id, connection=f"api-{person}")

    async def count(self) -> None:
        """Count and announce the viewers once a tick. A background job."""
        while True:
            await asyncio.sleep(PRESENCE_TICK_SECONDS)
            self.hub.count()
            try:
                if self._unannounced:
                    await self._announce()
                await self._count_rooms(dict(self._rooms))
            except LeasesUnavailable:
                self._unannounced = True  # it may come back empty

    async def _count_rooms(self, rooms: dict[UUID, Presences]) -> None:
        for session_id, room in rooms.items():
            await self._end_visits(session_id, room)
        await self._read_audiences(rooms)
        VIEWERS.set(sum(room.counts().people for room in rooms.values()))
        VIEWER_CONNECTIONS.set(sum(room.counts().connections for room in rooms.values()))
        for session_id, room in rooms.items():
            await self._count(session_id, room)

    async def _count(self, session_id: UUID, room: Presences) -> None:
        for person in list(room.unknown):
            room.newcomers += await self.presence.first_visit(room=session_id.hex, person=person)
            room.unknown.discard(person)
        counts = room.counts()
        if counts != room.sent or room.unsettled:
            room.unsettled = False
            self.hub.send_local(group=room_group(session_id), text=viewers_document(counts))
        if room.sent is None or counts.people != room.sent.people or room.newcomers:
            newcomers = room.newcomers
            await in_database(self._changed, session_id, counts.people, newcomers)
            room.newcomers -= newcomers
        room.sent = counts  # only after the write, so that a failed one is repeated at the next tick
        await self._report_left(session_id, room)
        unused = not (room.leases or room.visits or room.gone)
        if unused and session_id.hex not in self.hub.local_rooms():
            self._rooms.pop(session_id, None)
            self.presence.forget(session_id.hex)

    async def _report_left(self, session_id: UUID, room: Presences) -> None:
        """Report logged-in people whose last socket closed a while ago and who have not returned anywhere."""
        due = [person for person, since in room.gone.items() if self.loop.time() - since > RETURN_SECONDS]
        if not due:
            return
        here = room.audience.people if room.audience is not None else frozenset()
        left = [UUID(person) for person in due if person not in here and not person.startswith("anon:")]
        if left:
            await in_database(self._left, session_id, left)
        for person in due:
            room.gone.pop(person, None)

    async def refresh(self) -> None:
        """Renew the leases. A background job."""
        while True:
            await asyncio.sleep(settings.PRESENCE_LEASE_SECONDS / REFRESHES_PER_LEASE)
            with suppress(LeasesUnavailable):  # the tick renews them when Redis responds
                await self._announce()

    async def _announce(self) -> None:
        """Take or renew the leases of all local sockets."""
        leases = {session_id.hex: dict(room.leases) for session_id, room in self._rooms.items() if room.leases}
        if leases:
            await self.presence.touch(rooms=leases)
        await self.limits.renew()
        self._unannounced = False
