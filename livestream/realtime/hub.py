"""The room hub: one layer subscription per room and process, one encoding per event, one write per socket and tick."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from livestream.cancellation import heed_cancellation
from livestream.identifiers import process_name
from livestream.metrics import DOCUMENTS, FRAMES, GAP_FILLS, LAYER_FAILURES, ROOMS, SOCKETS
from livestream.realtime.groups import PEOPLE, carrier_of
from livestream.realtime.protocol import CloseCode
from livestream.realtime.room_log import Documents, RoomLog
from livestream.realtime.socket_writer import Member
from livestream.realtime.uvicorn_fastpath import text_frame

HOLD_DOCUMENTS = 5_000
LAYER_TIMEOUT_SECONDS = 2.0
RETRY_SECONDS = 1.0
TICK_SECONDS_AT_LEAST = 0.001
TICK_SECONDS_PER_SOCKET = 0.00002
# Two processes may publish in another order than they committed. That resolves itself within milliseconds.
REORDER_SECONDS = 0.02
HEAL_SECONDS = 3.0

logger = logging.getLogger(__name__)

# Returns the stored events of a group's room from one sequence number to another, encoded.
ReadEvents = Callable[[str, int, int], Awaitable[list[tuple[int, str]]]]


class Group:
    """The sockets of one group in this process, and the documents for the next tick."""

    __slots__ = ("due", "free_at", "healing", "log", "members", "pending", "ready", "timer")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.pending: list[tuple[int | None, str]] = []
        self.timer: asyncio.TimerHandle | None = None  # set while something is pending
        self.free_at = 0.0  # end of the tick after the last write
        self.ready: asyncio.Task[None] | None = None
        self.log = RoomLog()
        self.healing: asyncio.Task[None] | None = None
        self.due = 0  # the highest number known to be in the database


class Hub:
    """All sockets of this process, by group."""

    def __init__(self, read_events: ReadEvents) -> None:
        self.name = process_name()
        self._loop = asyncio.get_running_loop()
        self._read_events = read_events
        self._groups: dict[str, Group] = {}
        self._channel = ""
        self._subscribed = asyncio.Event()
        self._layer_answers = True
        self._tick = settings.REALTIME_TICK_SECONDS
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Receive from the layer until cancelled. After a failure of the layer, subscribe again."""
        layer = get_channel_layer()
        if layer is None:
            return
        while True:
            try:
                if not self._channel:
                    self._channel = await layer.new_channel()
                    for name in {PEOPLE, *map(carrier_of, self._groups)}:
                        await layer.group_add(name, self._channel)
                    self._subscribed.set()
                heed_cancellation()
                self._take(await layer.receive(self._channel))
            except asyncio.CancelledError:
                raise
            except Exception as error:  # supervised loop
                LAYER_FAILURES.labels("receive").inc()
                logger.warning("layer failed to receive: %r", error)
                self._channel = ""
                self._subscribed.clear()
                await asyncio.sleep(RETRY_SECONDS)

    async def join(self, *, member: Member, group: str) -> None:
        """Add a socket to a group. After this returns, messages to the group reach it."""
        entry = self._enter(member, group)
        if entry.ready is not None:
            await asyncio.shield(entry.ready)

    def _enter(self, member: Member, group: str) -> Group:
        entry = self._groups.get(group)
        if entry is None:
            entry = self._groups[group] = Group()
            if carrier_of(group) == group:
                entry.ready = self._loop.create_task(self._subscribe(group))
                ROOMS.inc()
        if member.name not in entry.members:
            entry.members[member.name] = member
            member.groups.append(group)
        return entry

    def leave_all(self, *, member: Member) -> None:
        """Remove a socket from all groups."""
        for group in list(member.groups):
            self.leave(member=member, group=group)

    def leave(self, *, member: Member, group: str) -> None:
        """Remove a socket from a group."""
        if group in member.groups:
            member.groups.remove(group)
        entry = self._groups.get(group)
        if entry is None or entry.members.pop(member.name, None) is None or entry.members:
            return
        del self._groups[group]
        if entry.timer is not None:
            entry.timer.cancel()
        if carrier_of(group) == group:
            ROOMS.dec()
            self._spawn(self._unsubscribe(group))

    async def _subscribe(self, group: str) -> None:
        """Subscribe, or keep trying in the background: the room also works from the database.

        While the layer is known not to respond, a socket does not wait for it.
        """
        if not (self._layer_answers and await self._add_to_layer(group)):
            self._spawn(self._subscribe_later(group))

    async def _subscribe_later(self, group: str) -> None:
        while group in self._groups:
            await asyncio.sleep(RETRY_SECONDS)
            if group in self._groups and await self._add_to_layer(group):
                return

    async def _add_to_layer(self, group: str) -> bool:
        layer = get_channel_layer()
        if layer is None:
            return True
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                await self._subscribed.wait()
                await layer.group_add(group, self._channel)
        except Exception as error:
            LAYER_FAILURES.labels("subscribe").inc()
            logger.warning("layer refused a subscription group=%s error=%r", group, error)
            self._layer_answers = False
        else:
            self._layer_answers = True
        return self._layer_answers

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _unsubscribe(self, group: str) -> None:
        layer = get_channel_layer()
        if layer is None or not self._channel or group in self._groups:
            return
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                await layer.group_discard(group, self._channel)
            if group in self._groups:  # a socket joined again meanwhile
                await self._subscribe(group)
        except Exception as error:  # as above
            LAYER_FAILURES.labels("unsubscribe").inc()
            logger.warning("layer kept a subscription group=%s error=%r", group, error)

    def _take(self, message: dict[str, Any]) -> None:
        """Deliver a layer message from another process. Messages of this process were delivered before.

        Messages of an unknown shape, from another release, must not end the subscription.
        """
        try:
            if message.get("origin") != self.name:
                self.deliver(message)
        except (KeyError, TypeError, ValueError) as error:
            LAYER_FAILURES.labels("shape").inc()
            logger.warning("layer brought something else group=%r error=%r", message.get("group"), error)

    def deliver(self, message: dict[str, Any]) -> None:
        """Deliver one layer message to the local sockets. Kinds unknown to this release are ignored."""
        if message.get("type") == "hub.latest":
            for group, text in message["texts"].items():
                self.send_local(group=group, text=text)
        entry = self._groups.get(message.get("group", ""))
        if entry is None:
            return
        if message["type"] == "hub.frames":
            documents = [(seq, text) for seq, text in message["frames"]]
            entry.log.announced += sum(seq is None for seq, _ in documents)
            self._add(message["group"], entry, documents)
            if message.get("revokes"):
                entry.log.forget()
        elif message["type"] == "hub.close":
            self._loop.call_later(
                message["after"], self.close_group, message["group"], message["code"], message["reason"]
            )
        elif message["type"] == "hub.audience":
            self._move(message["group"], message["other"], joins=message["joins"])

    def _move(self, group: str, other: str, *, joins: bool) -> None:
        """Add one group's sockets to another group, or remove them from it."""
        entry = self._groups.get(group)
        for member in list(entry.members.values()) if entry else []:
            if joins:
                member.dismissed -= {other}
                self._enter(member, other)
            else:
                member.dismissed |= {other}
                self.leave(member=member, group=other)

    def send_local(self, *, group: str, text: str) -> None:
        """Send one document to the group's sockets in this process only."""
        entry = self._groups.get(group)
        if entry is not None:
            self._add(group, entry, [(None, text)])

    def settle(self, group: str) -> None:
        """Write pending documents now, so that the log and the sockets are at the same event."""
        entry = self._groups.get(group)
        if entry is not None and entry.pending:
            self._flush(entry)

    def log_of(self, group: str) -> RoomLog:
        """Return the group's log, or an empty one for a group without sockets."""
        entry = self._groups.get(group)
        return entry.log if entry is not None else RoomLog()

    def heal(self, *, group: str, up_to: int = 0) -> None:
        """Read events missed by the layer from the database: those before early events, or all up to a number."""
        entry = self._groups.get(group)
        if entry is not None:
            entry.due = max(entry.due, up_to)
            if entry.healing is None:
                entry.healing = self._loop.create_task(self._heal(group, entry))

    async def catch_up(self, *, group: str, up_to: int) -> None:
        """Wait until all events up to a number have passed, from the layer or from the database."""
        entry = self._groups.get(group)
        while entry is not None and entry.log.last is not None and entry.log.last < up_to:
            before = entry.log.last
            self.heal(group=group, up_to=up_to)
            healing = entry.healing
            if healing is not None:
                await asyncio.wait([healing], timeout=REORDER_SECONDS)
            if entry.log.last == before and (healing is None or healing.done()):
                return

    async def _heal(self, group: str, entry: Group) -> None:
        waited_for = None
        try:
            while (gap := entry.log.gap(entry.due)) is not None:
                if gap[0] != waited_for:  # it is more often delayed in another process than lost
                    waited_for = gap[0]
                    await asyncio.sleep(REORDER_SECONDS)
                    continue
                GAP_FILLS.inc()
                async with asyncio.timeout(HEAL_SECONDS):
                    missing = await self._read_events(group, *gap)
                entry.log.forget()  # one of these may revoke earlier ones
                passed = entry.log.admit([(seq, text) for seq, text in missing])
                self._deliver(group, entry, passed)
                if not passed:
                    break
        except Exception as error:
            logger.warning("gap not filled group=%s error=%r", group, error)
        finally:
            entry.healing = None
            if entry.log.gap() is not None:
                self._deliver(group, entry, entry.log.give_up())

    def _add(self, name: str, entry: Group, documents: Documents) -> None:
        self._deliver(name, entry, entry.log.admit(documents))
        if entry.log.early:
            self.heal(group=name)

    def _deliver(self, name: str, entry: Group, documents: Documents) -> None:
        if not documents:
            return
        DOCUMENTS.inc(len(documents))
        entry.pending.extend(documents)
        if entry.timer is not None:
            return
        now = self._loop.time()
        if now >= entry.free_at:  # after a quiet tick: write at once, then collect
            self._flush(entry)
            entry.free_at = now + self._tick_of(entry)
        else:
            entry.timer = self._loop.call_at(entry.free_at, self._on_tick, name)

    def _tick_of(self, entry: Group) -> float:
        """Return the length of a tick. Collecting pays off per socket, so in a small group events leave almost at
        once."""
        return min(self._tick, max(TICK_SECONDS_AT_LEAST, len(entry.members) * TICK_SECONDS_PER_SOCKET))

    def _on_tick(self, name: str) -> None:
        entry = self._groups.get(name)
        if entry is None:
            return
        entry.timer = None
        if entry.pending:  # empty if the group was settled meanwhile
            self._flush(entry)
            entry.free_at = self._loop.time() + self._tick_of(entry)

    def _flush(self, entry: Group) -> None:
        pending, entry.pending = entry.pending, []
        text = "\n".join([text for _, text in pending])
        frame = text_frame(text.encode("utf-8"))
        members = list(entry.members.values())
        FRAMES.inc(len(members))
        for member in members:
            if member.held is None:
                member.write_ready(text, frame)
            elif len(member.held) < HOLD_DOCUMENTS:
                member.held.extend(pending)
            else:
                member.close(CloseCode.POSITION_LOST, "too much at once")

    def close_group(self, group: str, code: int, reason: str) -> None:
        """Close the group's sockets in this process."""
        entry = self._groups.get(group)
        for member in list(entry.members.values()) if entry else []:
            member.close(code, reason)

    def close_all(self, code: int, reason: str) -> None:
        """Close all sockets of this process."""
        for group in list(self._groups):
            self.close_group(group, code, reason)

    def members(self) -> list[Member]:
        """Return the sockets of this process."""
        rooms = [entry for name, entry in self._groups.items() if name.startswith("room.")]
        return [member for entry in rooms for member in entry.members.values()]

    def local_rooms(self) -> list[str]:
        """Return the hexadecimal session ids of the rooms with sockets here."""
        return [name.removeprefix("room.") for name in self._groups if name.startswith("room.")]

    def count(self) -> int:
        """Return the number of open sockets in this process."""
        total = len(self.members())
        SOCKETS.set(total)
        return total
