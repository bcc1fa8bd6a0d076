"""What a web process runs beside its requests: sender, hub, presence, beats, and the composition's own tasks.

Started by the ASGI lifespan; a server without lifespan (daphne) starts it with the first socket.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from livestream.cancellation import end_all
from livestream.database import in_database
from livestream.metrics import VIEWER_CONNECTIONS, VIEWERS
from livestream.realtime import layer_sender
from livestream.realtime.groups import room_group, session_of
from livestream.realtime.hub import Hub
from livestream.realtime.loop_lag import measure_loop_lag
from livestream.realtime.presence import Audience, MemoryPresence, PresenceStore, RedisPresence
from livestream.realtime.protocol import CloseCode, encode
from livestream.realtime.redis_leases import LeasesAway, SharedLeases
from livestream.realtime.socket_limits import SocketLimits

PRESENCE_TICK_SECONDS = 1.0
REFRESHES_PER_LEASE = 3
VISIT_SECONDS = 90.0
# A reloaded page, or one that changes networks, is back within this.
RETURN_SECONDS = 10.0
RESTART_SECONDS = 1.0
DRAINED_PER_SECOND = 200

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hooks:
    """What the composition gives the kernel, which knows no session. All run in a database thread but the last."""

    positions: Callable[[list[UUID]], dict[UUID, tuple[str, int]]] = lambda ids: {}
    events: Callable[[UUID, int, int], list[dict[str, Any]]] = lambda session_id, after, up_to: []
    viewers_changed: Callable[[UUID, int, int], None] = lambda session_id, count, newcomers: None
    viewers_left: Callable[[UUID, list[UUID]], None] = lambda session_id, user_ids: None
    background: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()


class Counts(NamedTuple):
    """How many different people watch, and how many connections they have."""

    people: int
    connections: int


@dataclass
class Presences:
    """The local sockets of one room and what was last told about it. Whether the `unknown` are new is not known yet.

    `audience` is everybody, in all processes, at the last tick; `came` and `connected` are who came in here since.
    `unsettled` says that somebody was told another count than the room.
    """

    leases: dict[str, str] = field(default_factory=dict)
    visits: dict[str, float] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)
    newcomers: int = 0
    unknown: set[str] = field(default_factory=set)
    told: Counts | None = None
    audience: Audience | None = None
    came: set[str] = field(default_factory=set)
    connected: int = 0
    unsettled: bool = False

    def note(self, person: str) -> None:
        """Somebody has come in through this process."""
        self.connected += 1
        if self.audience is None or person not in self.audience.people:
            self.came.add(person)

    def counts(self) -> Counts:
        """As far as this process knows by now."""
        here = self.audience or Audience()
        return Counts(len(here.people) + len(self.came), here.connections + self.connected)


_hooks = Hooks()
_current: "Runtime | None" = None


def configure(hooks: Hooks) -> None:
    """Give the kernel its hooks; called once, by the composition."""
    global _hooks
    _hooks = hooks


def viewers_document(counts: Counts) -> str:
    """What a room is told of its audience."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return encode({"type": "viewers", "ts": now, "data": {"count": counts.people, "connections": counts.connections}})


class Runtime:
    """The realtime half of one web process."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.hub = Hub(self.read_events)
        self.name = self.hub.name
        shared = SharedLeases(settings.REDIS_URL) if settings.REDIS_URL else None
        self.presence: PresenceStore = RedisPresence(shared) if shared is not None else MemoryPresence()
        self.limits = SocketLimits(shared)
        self.draining = False
        self._rooms: dict[UUID, Presences] = {}
        self._unannounced = False
        self._short_tasks: set[asyncio.Task[None]] = set()
        self._sender = layer_sender.Sender(self.hub)
        layer_sender.bind(self._sender)
        jobs: list[Callable[[], Awaitable[None]]] = [
            self._sender.run,
            self.hub.run,
            self._beats,
            self._counts,
            self._refresh,
            measure_loop_lag,
            *_hooks.background,
        ]
        self._tasks = [self.loop.create_task(self._supervise(job)) for job in jobs]

    @staticmethod
    async def _supervise(job: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await job()
                return
            except Exception:
                logger.exception(
                    "background job failed, starting it again job=%s", getattr(job, "__qualname__", repr(job))
                )
                await asyncio.sleep(RESTART_SECONDS)

    async def read_events(self, group: str, first: int, last: int) -> list[tuple[int, str]]:
        """The stored events of a room from one number to another, encoded."""
        session_id = session_of(group)
        if session_id is None:
            return []
        documents = await in_database(_hooks.events, session_id, first - 1, last)
        return [(document["seq"], encode(document)) for document in documents]

    async def enter(self, *, session_id: UUID, connection: str, person: str, counted: bool) -> None:
        """A socket is in a room. Hosts are there too, but are no viewers (`counted` False)."""
        room = self._rooms.setdefault(session_id, Presences())
        if not counted:
            return
        room.leases[connection] = person
        room.note(person)
        try:
            if await self.presence.arrive(room=session_id.hex, connection=connection, person=person):
                room.newcomers += 1
        except LeasesAway:  # nobody is kept out for that; the tick makes it good
            room.unknown.add(person)
            self._unannounced = True

    async def exit(self, *, session_id: UUID, connection: str) -> None:
        """A socket has left a room."""
        room = self._rooms.get(session_id)
        person = room.leases.pop(connection, None) if room is not None else None
        if room is not None and person is not None:
            room.gone[person] = self.loop.time()
            with suppress(LeasesAway):  # the lease runs out by itself
                await self.presence.drop(room=session_id.hex, connection=connection, person=person)

    async def viewers(self, session_id: UUID) -> Counts:
        """Who watches, in all processes: read for the first who asks, then as of the last tick, with who came since."""
        room = self._rooms.get(session_id) or Presences()
        if room.audience is None:
            with suppress(LeasesAway):
                await self._read_audiences({session_id: room})
        counts = room.counts()
        room.unsettled = room.unsettled or counts != room.told
        return counts

    async def _read_audiences(self, rooms: dict[UUID, Presences]) -> None:
        before = {session_id: (room.came, room.connected) for session_id, room in rooms.items()}
        for room in rooms.values():
            room.came, room.connected = set(), 0
        try:
            audiences = await self.presence.audiences([session_id.hex for session_id in rooms])
        except LeasesAway:
            for session_id, (came, connected) in before.items():
                rooms[session_id].came |= came
                rooms[session_id].connected += connected
            raise
        for session_id, room in rooms.items():
            room.audience = audiences[session_id.hex]
            room.came -= room.audience.people

    def last_count(self, session_id: UUID) -> int:
        """How many watched at the last tick, as far as this process knows."""
        room = self._rooms.get(session_id)
        return room.told.people if room is not None and room.told is not None else 0

    def enter_for(self, *, session_id: UUID, person: str, seconds: float) -> None:
        """Somebody watches without a socket: count them for a while."""
        room = self._rooms.setdefault(session_id, Presences())
        room.visits[person] = self.loop.time() + seconds
        entering = self.enter(session_id=session_id, connection=f"api-{person}", person=person, counted=True)
        self._spawn(entering)

    def exit_early(self, *, session_id: UUID, person: str) -> None:
        """Somebody without a socket has left."""
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

    async def _counts(self) -> None:
        while True:
            await asyncio.sleep(PRESENCE_TICK_SECONDS)
            self.hub.count()
            try:
                if self._unannounced:
                    await self._announce()
                await self._count_rooms(dict(self._rooms))
            except LeasesAway:
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
        if counts != room.told or room.unsettled:
            room.unsettled = False
            self.hub.send_local(group=room_group(session_id), text=viewers_document(counts))
        if room.told is None or counts.people != room.told.people or room.newcomers:
            newcomers = room.newcomers
            await in_database(_hooks.viewers_changed, session_id, counts.people, newcomers)
            room.newcomers -= newcomers
        room.told = counts  # not before it is written: what fails is written again at the next tick
        await self._tell_who_left(session_id, room)
        unused = not (room.leases or room.visits or room.gone)
        if unused and session_id.hex not in self.hub.local_rooms():
            self._rooms.pop(session_id, None)
            self.presence.forget(session_id.hex)

    async def _tell_who_left(self, session_id: UUID, room: Presences) -> None:
        """Signed-in people whose last socket closed a while ago, and who did not come back anywhere."""
        due = [person for person, since in room.gone.items() if self.loop.time() - since > RETURN_SECONDS]
        if not due:
            return
        here = room.audience.people if room.audience is not None else frozenset()
        left = [UUID(person) for person in due if person not in here and not person.startswith("anon:")]
        if left:
            await in_database(_hooks.viewers_left, session_id, left)
        for person in due:
            room.gone.pop(person, None)

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(settings.PRESENCE_LEASE_SECONDS / REFRESHES_PER_LEASE)
            with suppress(LeasesAway):  # the tick announces them as soon as it answers
                await self._announce()

    async def _announce(self) -> None:
        """Take or renew the leases of all who are here."""
        leases = {session_id.hex: dict(room.leases) for session_id, room in self._rooms.items() if room.leases}
        if leases:
            await self.presence.touch(rooms=leases)
        await self.limits.renew()
        self._unannounced = False

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(settings.REALTIME_BEAT_SECONDS)
            rooms = [UUID(hex=name) for name in self.hub.local_rooms()]
            if not rooms:
                continue
            for session_id, (epoch, seq) in (await in_database(_hooks.positions, rooms)).items():
                group = room_group(session_id)
                last = self.hub.log_of(group).last
                if last is not None and last < seq:
                    self.hub.heal(group=group, up_to=seq)
                text = encode({"type": "beat", "data": {"epoch": epoch, "seq": seq}})
                self.hub.send_local(group=group, text=text)

    def drain(self) -> float:
        """Let nobody in any more and send the sockets away, so spread that the other processes can take them in.

        How many seconds that takes. Few sockets go at once.
        """
        self.draining = True
        members = self.hub.members()
        random.shuffle(members)
        seconds: float = min(settings.DRAIN_SECONDS, len(members) / DRAINED_PER_SECOND)
        for place, member in enumerate(members):
            self.loop.call_later(seconds * place / len(members), member.close, CloseCode.RESTARTING, "restarting")
        return seconds

    async def stop(self) -> None:
        """Tell every socket to come back elsewhere, then end the tasks."""
        self.draining = True
        self.hub.close_all(CloseCode.RESTARTING, "restarting")
        await asyncio.sleep(0.1 + random.random() * 0.1)  # noqa: S311 - lets the close frames leave
        layer_sender.bind(None)
        await end_all(self._tasks)


def current() -> Runtime:
    """The runtime of the running loop, started when there is none."""
    global _current
    if _current is None or _current.loop is not asyncio.get_running_loop():
        _current = Runtime()
    return _current


def enter_from_thread(*, session_id: UUID, person: str) -> None:
    """Count somebody without a socket for VISIT_SECONDS; from a request's thread. No sockets here, no counting."""
    running = _current
    if running is not None and not running.loop.is_closed():
        visit = partial(running.enter_for, session_id=session_id, person=person, seconds=VISIT_SECONDS)
        running.loop.call_soon_threadsafe(visit)


def exit_from_thread(*, session_id: UUID, person: str) -> None:
    """Stop counting somebody without a socket; from a request's thread."""
    running = _current
    if running is not None and not running.loop.is_closed():
        running.loop.call_soon_threadsafe(partial(running.exit_early, session_id=session_id, person=person))


async def stop() -> None:
    """Stop the running loop's runtime, if there is one."""
    global _current
    if _current is not None and _current.loop is asyncio.get_running_loop():
        await _current.stop()
        _current = None
