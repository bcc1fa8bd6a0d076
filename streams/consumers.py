"""The room socket: lets people in, greets them with a snapshot or what they missed, and sees them off."""

import logging
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import parse_qs

from django.conf import settings
from django.db import Error as DatabaseError

from livestream.actors import ANONYMOUS, Actor
from livestream.errors import DomainError
from livestream.identifiers import connection_name
from livestream.realtime import runtime
from livestream.realtime.consumer import CommandConsumer
from livestream.realtime.groups import desk_group, person_group, room_group, user_group
from livestream.realtime.hub import Member
from livestream.realtime.protocol import CloseCode, encode
from livestream.realtime.runtime import in_database
from streams.permissions import ON_STAGE, Standing
from streams.room import Place, RoomParts, room_enter, room_resume, room_snapshot

RETRY_SECONDS = 5
CODES = {401: CloseCode.NOT_SIGNED_IN, 403: CloseCode.NOT_ALLOWED, 404: CloseCode.NO_SUCH_SESSION}

logger = logging.getLogger(__name__)


class RoomConsumer(CommandConsumer):
    """One socket in one session's room."""

    parts: ClassVar[RoomParts] = RoomParts()

    async def opened(self) -> bool:
        self._groups: list[str] = []
        self._runtime = runtime.current()
        self.member = Member(name=connection_name(), send=self.base_send)
        self.member.held = []
        actor: Actor = self.scope.get("actor", ANONYMOUS)
        self.context = Place(session_id=self.scope["url_route"]["kwargs"]["session_id"], actor=actor, parts=self.parts)
        await self.base_send({"type": "websocket.accept"})
        if self.scope.get("actor_error"):
            self.member.close(CloseCode.NOT_SIGNED_IN, "sign in again")
            return False
        if self._runtime.draining:
            self.member.close(CloseCode.RESTARTING, "restarting")
            return False
        try:
            await self._enter()
        except DomainError as error:
            self._turn_away(error)
            return False
        except DatabaseError:
            logger.exception("room not opened session=%s", self.context.session_id)
            self.member.close(CloseCode.OVERLOADED, str(RETRY_SECONDS))
            return False
        return True

    async def _enter(self) -> None:
        place: Place = self.context
        entrance = await in_database(room_enter, place)
        for group in self._audiences(place, entrance.standing):
            self._groups.append(group)
            await self._runtime.hub.join(member=self.member, group=group)
        if not entrance.over:
            await self._runtime.enter(
                session_id=place.session_id,
                connection=self.member.name,
                person=place.actor.person,
                counted=entrance.standing.role not in ON_STAGE,
            )
        self.context = place = replace(place, viewers=await self._runtime.viewers(place.session_id))
        await self._greet(place)
        if entrance.over:
            self.close_later(
                code=CloseCode.SESSION_ENDED,
                reason="session ended",
                seconds=settings.REALTIME_CLOSE_AFTER_END_SECONDS,
            )

    @staticmethod
    def _audiences(place: Place, standing: Standing) -> list[str]:
        groups = [room_group(place.session_id)]
        if place.actor.user_id is not None:
            groups += [user_group(place.actor.user_id), person_group(place.session_id, place.actor.user_id)]
        if standing.can_moderate:
            groups.append(desk_group(place.session_id))
        return groups

    async def _greet(self, place: Place) -> None:
        position = self._position()
        resumed = None
        if position is not None:
            resumed = await in_database(room_resume, place, epoch=position[0], after=position[1])
        if resumed is not None:
            text, seq = encode({"type": "resumed", "data": resumed}), resumed["seq"]
        else:
            snapshot = await in_database(room_snapshot, place, viewers=place.viewers)
            text, seq = encode({"type": "snapshot", "data": snapshot}), snapshot["seq"]
            if position is not None:
                lost = {"recovered": False, "epoch": snapshot["epoch"], "seq": seq, "events": []}
                text = encode({"type": "resumed", "data": lost}) + "\n" + text
        self.member.write(text)
        self.member.release(seq)

    def _position(self) -> tuple[str, int] | None:
        """Where the client says it was; an impossible position stays one, and is answered with a snapshot."""
        query: dict[str, Any] = parse_qs(self.scope.get("query_string", b"").decode("ascii", "replace"))
        if "after" not in query or "epoch" not in query:
            return None
        after = query["after"][0]
        plausible = after.isascii() and after.isdigit() and len(after) <= 18
        return query["epoch"][0][:16], int(after) if plausible else -1

    def _turn_away(self, error: DomainError) -> None:
        code = CODES.get(error.status)
        if code is None:
            self.member.close(CloseCode.OVERLOADED, str(round(error.retry_after or RETRY_SECONDS)))
        else:
            self.member.close(code, error.code)

    async def closed(self) -> None:
        for group in self._groups:
            self._runtime.hub.leave(member=self.member, group=group)
        if self._groups:
            await self._runtime.exit(session_id=self.context.session_id, connection=self.member.name)
