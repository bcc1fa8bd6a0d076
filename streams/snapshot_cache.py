"""Cache of rooms that many sockets enter at once: read at most once a second, completed from the room's log.

A thousand clients that return together cost a handful of queries, not thousands.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from livestream.database import in_database
from livestream.errors import Unavailable
from livestream.realtime import runtime
from livestream.realtime.groups import room_group
from livestream.realtime.protocol import encode
from livestream.realtime.room_log import RoomLog
from streams.room_snapshot import RoomParts, SharedRoom, recent_events, room_load
from streams.selectors import RESUME_LIMIT

FRESH_SECONDS = 1.0
FORGET_ABOVE = 1_000
TRIES = 3

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded room, with the time and the number of unnumbered events before it."""

    at: float
    announced: int
    room: SharedRoom


class SharedRooms:
    """The rooms of one process. Used from its event loop, by sockets that have joined the room's group before."""

    def __init__(self, parts: RoomParts) -> None:
        self.parts = parts
        self._rooms: dict[UUID, Loaded] = {}
        self._running: dict[tuple[str, UUID], asyncio.Future[Any]] = {}

    @staticmethod
    def log(session_id: UUID) -> RoomLog:
        """Return the log of the room in this process."""
        return runtime.current().hub.log_of(room_group(session_id))

    async def get(self, session_id: UUID, *, seen: int = 0) -> SharedRoom:
        """Return the room such that the log holds every later event, and no older than a position that the client has
        seen, unless that is ahead of the log. Raises Missing."""
        for _ in range(TRIES):
            loaded = self._rooms.get(session_id)
            if loaded is not None and self._good(session_id, loaded, seen):
                return loaded.room
            room = await self._once("load", session_id, self._load)
            # The layer is behind the database, briefly or because it is unavailable. Clients need not wait for it.
            await runtime.current().hub.catch_up(group=room_group(session_id), up_to=room.seq)
            if self.log(session_id).since(room.seq) is not None:
                return room
        raise Unavailable(retry_after=1)

    def _good(self, session_id: UUID, loaded: "Loaded", seen: int) -> bool:
        """Return whether it is fresh, no unnumbered event came since, and the log has all numbered ones."""
        log = self.log(session_id)
        if loaded.room.seq < min(seen, log.last or 0):
            return False
        unchanged = log.announced == loaded.announced and log.since(loaded.room.seq) is not None
        return unchanged and time.monotonic() - loaded.at < FRESH_SECONDS

    async def _load(self, session_id: UUID) -> SharedRoom:
        log = self.log(session_id)
        announced = log.announced
        room = await in_database(room_load, session_id, self.parts)
        log.start(room.seq)
        if len(self._rooms) > FORGET_ABOVE:
            self._rooms.clear()
        self._rooms[session_id] = Loaded(at=time.monotonic(), announced=announced, room=room)
        return room

    async def missed(self, room: SharedRoom, *, epoch: str, after: int) -> list[str] | None:
        """Return all durable events after a position, encoded, up to now. None if they would be incomplete."""
        session_id = room.session.pk
        if epoch != room.epoch or after < 0:
            return None
        last = self.log(session_id).last
        if last is not None and last < after:
            # A client that was connected to another process may be ahead of the events that the layer delivered here.
            room = await self._once("load", session_id, self._load)
            await runtime.current().hub.catch_up(group=room_group(session_id), up_to=room.seq)
        texts = self.log(session_id).since(after)
        # A gap that was filled meanwhile has emptied the log, and `room` may be older than what passed since.
        if texts is None and after < max(room.seq, self.log(session_id).last or 0):
            await self._once("prime", session_id, self._prime)
            texts = self.log(session_id).since(after)
        return texts if texts is not None and len(texts) <= RESUME_LIMIT else None

    async def _prime(self, session_id: UUID) -> None:
        head, documents = await in_database(recent_events, session_id, self.parts)
        encoded = [(document["seq"], encode(document)) for document in documents]
        self.log(session_id).prime(encoded, head)

    async def _once(self, what: str, session_id: UUID, work: Callable[[UUID], Coroutine[Any, Any, R]]) -> R:
        """Run the work once for all callers that arrive while it runs."""
        key = what, session_id
        running: asyncio.Future[R] | None = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.ensure_future(work(session_id))
            running.add_done_callback(lambda done: self._running.pop(key, None))
        return await asyncio.shield(running)
