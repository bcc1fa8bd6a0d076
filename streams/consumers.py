"""The room socket: admits people, sends a snapshot or the missed events, and removes them when they leave."""

import ipaddress
import json
import logging
import random
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import parse_qs
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseError

from accounts.login_limits import network_of
from livestream.actors import ANONYMOUS, Actor
from livestream.batching import Batcher
from livestream.errors import Conflict, DomainError, TooMany, Unavailable
from livestream.identifiers import connection_name
from livestream.metrics import SOCKETS_REFUSED
from livestream.realtime import runtime
from livestream.realtime.consumer import CommandConsumer
from livestream.realtime.groups import person_group, room_group, studio_group, user_group
from livestream.realtime.handshake import refuse_handshake
from livestream.realtime.protocol import CloseCode, encode
from livestream.realtime.socket_limits import SocketHolder
from livestream.realtime.socket_writer import Member
from livestream.realtime.viewer_counts import Counts, viewers_document
from streams.permissions import NO_STANDING, require_view_as
from streams.room_snapshot import Admission, RoomContext, SharedRoom, me_payload, rooms_admit
from streams.snapshot_cache import SharedRooms
from streams.state import OVER

RETRY_SECONDS = 5
ENTERING_LIMIT = 400
TOO_MANY_SECONDS = 30
TOO_MANY = {
    "person": "You have this open in too many places. Close some and try again.",
    "address": "Too many anonymous viewers on your network. Log in, or try again later.",
}
CODES = {401: CloseCode.NOT_SIGNED_IN, 403: CloseCode.NOT_ALLOWED, 404: CloseCode.NO_SUCH_SESSION}

logger = logging.getLogger(__name__)


class RoomConsumer(CommandConsumer):
    """One socket in one session's room."""

    rooms: ClassVar[SharedRooms]
    entering: ClassVar[int] = 0

    async def opened(self) -> bool:
        self.member = Member(name=connection_name(), send=self.base_send)
        self._runtime = runtime.current()
        self.member.held = []
        actor: Actor = self.scope.get("actor", ANONYMOUS)
        self.context = RoomContext(session_id=self.scope["url_route"]["kwargs"]["session_id"], actor=actor)
        self._holder = socket_holder_of(actor, self.scope)
        if self._runtime.draining:
            await self._refuse("draining", Unavailable(retry_after=1), CloseCode.RESTARTING, "restarting")
            return False
        if not await self._runtime.limits.take(holder=self._holder, connection=self.member.name):
            refusal = TooMany(message=TOO_MANY[self._holder.kind], retry_after=TOO_MANY_SECONDS)
            await self._refuse(self._holder.kind, refusal, CloseCode.OVERLOADED, str(TOO_MANY_SECONDS))
            return False
        await self.base_send({"type": "websocket.accept"})
        if error := self.scope.get("actor_error"):
            self._turn_away(error)
            return False
        if RoomConsumer.entering >= ENTERING_LIMIT:
            self._overloaded()
            return False
        RoomConsumer.entering += 1
        try:
            await self._enter()
        except DomainError as error:
            self._turn_away(error)
            return False
        except DatabaseError as error:
            logger.warning("room not opened session=%s error=%s", self.context.session_id, type(error).__name__)
            self._overloaded()
            return False
        finally:
            RoomConsumer.entering -= 1
        return True

    async def _refuse(self, why: str, error: DomainError, code: CloseCode, reason: str) -> None:
        """Reject the handshake. If the server does not support that, open the socket and close it."""
        SOCKETS_REFUSED.labels(why).inc()
        logger.info("socket refused why=%s", why)
        if not await refuse_handshake(self.scope, self.base_send, error):
            await self.base_send({"type": "websocket.accept"})
            self.member.close(code, reason)

    async def _enter(self) -> None:
        context: RoomContext = self.context
        # Subscribe before authorizing, so that a removal in between reaches this socket, too.
        for group in self._audiences(context):
            await self._runtime.hub.join(member=self.member, group=group)
        room = await self.rooms.get(context.session_id)
        admission = await admitted(self.rooms, context, room)
        standing = admission.standing
        studio = studio_group(context.session_id)
        if standing.can_moderate and studio not in self.member.dismissed:
            await self._runtime.hub.join(member=self.member, group=studio)
        over = room.session.state in OVER
        if not over:
            await self._runtime.audience.enter(
                session_id=context.session_id,
                connection=self.member.name,
                person=context.actor.person,
                counted=not standing.is_host,
            )
        viewers = await self._runtime.audience.viewers(context.session_id)
        await self._greet(room, admission, viewers)
        if over:
            self.close_later(
                code=CloseCode.SESSION_ENDED,
                reason="session ended",
                seconds=settings.REALTIME_CLOSE_AFTER_END_SECONDS,
            )

    @staticmethod
    def _audiences(context: RoomContext) -> list[str]:
        groups = [room_group(context.session_id)]
        if context.actor.user_id is not None:
            groups += [user_group(context.actor.user_id), person_group(context.session_id, context.actor.user_id)]
        return groups

    async def _greet(self, room: SharedRoom, admission: Admission, viewers: Counts) -> None:
        position = self._position()
        missed = None
        if position is not None:
            missed = await self.rooms.missed(room, epoch=position[0], after=position[1])
        log = self.rooms.log(room.session.pk)
        if missed is not None and position is not None:
            self._runtime.hub.settle(room_group(room.session.pk))
            missed = log.since(position[1]) or []
            me = me_payload(actor=self.context.actor, admission=admission, session=room.session)
            head = encode({"recovered": True, "epoch": room.epoch, "seq": position[1] + len(missed), "me": me})
            events = ",".join(missed)
            # The count has no sequence number, so the missed events do not include it.
            text = f'{{"type":"resumed","data":{head[:-1]},"events":[{events}]}}}}' + "\n" + viewers_document(viewers)
            self.member.write(text)
            self.member.release([])
            return
        room = await self.rooms.get(room.session.pk)
        text = snapshot_text(room, actor=self.context.actor, admission=admission, viewers=viewers.people)
        if position is not None:
            lost = {"recovered": False, "epoch": room.epoch, "seq": room.seq, "events": []}
            text = encode({"type": "resumed", "data": lost}) + "\n" + text
        self._runtime.hub.settle(room_group(room.session.pk))
        self.member.write(text)
        self.member.release(log.since(room.seq) or [])

    def _position(self) -> tuple[str, int] | None:
        """Return the client's stated position. An impossible position stays one, and is answered with a snapshot."""
        query: dict[str, Any] = parse_qs(
            self.scope.get("query_string", b"").decode("ascii", "replace"), keep_blank_values=True
        )
        if "after" not in query or "epoch" not in query:
            return None
        after = query["after"][0]
        plausible = after.isascii() and after.isdigit() and len(after) <= 18
        return query["epoch"][0][:16], int(after) if plausible else -1

    def _overloaded(self) -> None:
        """Ask the client to reconnect later, with jitter."""
        seconds = random.randint(RETRY_SECONDS, 3 * RETRY_SECONDS)  # noqa: S311 - jitter
        self.member.close(CloseCode.OVERLOADED, str(seconds))

    def _turn_away(self, error: DomainError) -> None:
        code = CODES.get(error.status)
        if code is not None:
            self.member.close(code, error.code)
        elif isinstance(error, Conflict) and error.code == "session.ended":
            self.member.close(CloseCode.SESSION_ENDED, error.code)
        elif error.retry_after is not None:
            self.member.close(CloseCode.OVERLOADED, str(round(error.retry_after)))
        else:
            self._overloaded()

    async def closed(self) -> None:
        was_in = bool(self.member.groups)
        self._runtime.hub.leave_all(member=self.member)
        await self._runtime.limits.give_back(holder=self._holder, connection=self.member.name)
        if was_in:
            await self._runtime.audience.exit(session_id=self.context.session_id, connection=self.member.name)


def socket_holder_of(actor: Actor, scope: Any) -> SocketHolder:
    """Return the key for socket limits: the person, or the address of an anonymous viewer.

    Loopback is exempt: behind a proxy that hides addresses, all clients would share one key.
    """
    if actor.user_id is not None:
        return SocketHolder("person", actor.user_id.hex, settings.SOCKETS_PER_PERSON)
    address, _ = scope.get("client") or ("", 0)
    with suppress(ValueError):
        if ipaddress.ip_address(address).is_loopback:
            return SocketHolder("address", address, 0)
    return SocketHolder("address", network_of(address), settings.SOCKETS_PER_ADDRESS if address else 0)


_admit = Batcher(rooms_admit)


async def admitted(rooms: SharedRooms, context: RoomContext, room: SharedRoom) -> Admission:
    """Admit a person to a room that is already loaded. An anonymous viewer costs no query."""
    if context.actor.user_id is not None:
        return await _admit((context, room.session, rooms.parts))
    require_view_as(standing=NO_STANDING, actor=context.actor, session=room.session)
    return Admission(NO_STANDING)


def snapshot_text(room: SharedRoom, *, actor: Actor, admission: Admission, viewers: int) -> str:
    """Return the snapshot document: the shared part, encoded once, and the person's own part."""
    me = encode(me_payload(actor=actor, admission=admission, session=room.session))
    return f'{{"type":"snapshot","data":{{{room.inner},"me":{me},"viewers":{viewers}}}}}'


async def do_sync(rooms: SharedRooms, context: RoomContext, *, epoch: str, after: int) -> dict[str, Any]:
    """Return all events since a position, or a fresh snapshot; never only some."""
    room = await rooms.get(context.session_id)
    admission = await admitted(rooms, context, room)
    missed = await rooms.missed(room, epoch=epoch, after=after)
    me = me_payload(actor=context.actor, admission=admission, session=room.session)
    if missed is not None:
        events = [json.loads(text) for text in missed]
        return {"recovered": True, "epoch": room.epoch, "seq": after + len(events), "me": me, "events": events}
    if epoch == room.epoch:
        room = await rooms.get(context.session_id, seen=after)  # only some of the later events may follow
    viewers = await runtime.current().audience.viewers(UUID(str(context.session_id)))
    snapshot = room.common | {"me": me, "viewers": viewers.people}
    return {"recovered": False, "epoch": room.epoch, "seq": room.seq, "snapshot": snapshot}
