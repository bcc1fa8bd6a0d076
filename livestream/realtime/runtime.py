"""The background services of a web process: sender, hub, presence, beats, and the composition's own jobs.

Started by the ASGI lifespan; a server without lifespan (daphne) starts it with the first socket.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings

from livestream.database import in_database
from livestream.realtime import layer_sender
from livestream.realtime.background_jobs import BackgroundJobs, Job
from livestream.realtime.groups import room_group, session_of
from livestream.realtime.hub import Hub
from livestream.realtime.loop_lag import measure_loop_lag
from livestream.realtime.presence import MemoryPresence, RedisPresence
from livestream.realtime.protocol import CloseCode, encode
from livestream.realtime.redis_leases import SharedLeases
from livestream.realtime.socket_limits import SocketLimits
from livestream.realtime.viewer_counts import AudienceCounter

VISIT_SECONDS = 90.0
DRAINED_PER_SECOND = 200


@dataclass(frozen=True)
class Hooks:
    """Functions that the composition gives the kernel, which knows no sessions. All but the last run in a database
    thread."""

    positions: Callable[[list[UUID]], dict[UUID, tuple[str, int]]] = lambda ids: {}
    events: Callable[[UUID, int, int], list[dict[str, Any]]] = lambda session_id, after, up_to: []
    viewers_changed: Callable[[UUID, int, int], None] = lambda session_id, count, newcomers: None
    viewers_left: Callable[[UUID, list[UUID]], None] = lambda session_id, user_ids: None
    background: tuple[Job, ...] = ()


_hooks = Hooks()
_current: "Runtime | None" = None


def configure(hooks: Hooks) -> None:
    """Set the kernel's hooks. Called once, by the composition."""
    global _hooks
    _hooks = hooks


class Runtime:
    """The realtime services of one web process."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.hub = Hub(self.read_events)
        self.name = self.hub.name
        shared = SharedLeases(settings.REDIS_URL) if settings.REDIS_URL else None
        self.limits = SocketLimits(shared)
        self.audience = AudienceCounter(
            hub=self.hub,
            presence=RedisPresence(shared) if shared is not None else MemoryPresence(),
            limits=self.limits,
            changed=_hooks.viewers_changed,
            left=_hooks.viewers_left,
        )
        self.draining = False
        self._sender = layer_sender.Sender(self.hub)
        layer_sender.bind(self._sender)
        self._jobs = BackgroundJobs(
            [
                self._sender.run,
                self.hub.run,
                self._beats,
                self.audience.count,
                self.audience.refresh,
                measure_loop_lag,
                *_hooks.background,
            ]
        )

    async def read_events(self, group: str, first: int, last: int) -> list[tuple[int, str]]:
        """Return the stored events of a room from one number to another, encoded."""
        session_id = session_of(group)
        if session_id is None:
            return []
        documents = await in_database(_hooks.events, session_id, first - 1, last)
        return [(document["seq"], encode(document)) for document in documents]

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
        """Stop accepting sockets and close the open ones, spread over time so that other processes can take them.
        Return the seconds this takes. Few sockets are closed at once."""
        self.draining = True
        members = self.hub.members()
        random.shuffle(members)
        seconds: float = min(settings.DRAIN_SECONDS, len(members) / DRAINED_PER_SECOND)
        for index, member in enumerate(members):
            self.loop.call_later(seconds * index / len(members), member.close, CloseCode.RESTARTING, "restarting")
        return seconds

    async def stop(self) -> None:
        """Ask all sockets to reconnect elsewhere, then stop the tasks."""
        self.draining = True
        self.hub.close_all(CloseCode.RESTARTING, "restarting")
        await asyncio.sleep(0.1 + random.random() * 0.1)  # noqa: S311 - lets the close frames leave
        layer_sender.bind(None)
        await self._jobs.stop()


def current() -> Runtime:
    """Return the runtime of the running loop, starting it if needed."""
    global _current
    if _current is None or _current.loop is not asyncio.get_running_loop():
        _current = Runtime()
    return _current


def enter_from_thread(*, session_id: UUID, person: str) -> None:
    """Count a person without a socket for VISIT_SECONDS, from a request's thread. Without sockets in this process
    nothing is counted."""
    running = _current
    if running is not None and not running.loop.is_closed():
        visit = partial(running.audience.enter_for, session_id=session_id, person=person, seconds=VISIT_SECONDS)
        running.loop.call_soon_threadsafe(visit)


def exit_from_thread(*, session_id: UUID, person: str) -> None:
    """Stop counting a person without a socket, from a request's thread."""
    running = _current
    if running is not None and not running.loop.is_closed():
        running.loop.call_soon_threadsafe(partial(running.audience.exit_early, session_id=session_id, person=person))


async def stop() -> None:
    """Stop the running loop's runtime, if there is one."""
    global _current
    if _current is not None and _current.loop is asyncio.get_running_loop():
        await _current.stop()
        _current = None
