"""Commands of the room socket for the session itself."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from livestream.realtime.consumer import CommandHandler
from streams.models import StreamSession
from streams.payloads import session_payload
from streams.room_snapshot import RoomContext
from streams.services.show import sessions


class Position(serializers.Serializer[Any]):
    """A client's position in a room's sequence."""

    epoch = serializers.CharField(max_length=16)
    after = serializers.IntegerField(min_value=0, max_value=2**62)


def _session(session: StreamSession) -> dict[str, Any]:
    return {"session": session_payload(session, now=timezone.now())}


def do_pause(context: RoomContext) -> dict[str, Any]:
    """Pause the show."""
    return _session(sessions.session_pause(session_id=context.session_id, actor=context.actor))


def do_resume(context: RoomContext) -> dict[str, Any]:
    """Resume the show."""
    return _session(sessions.session_resume(session_id=context.session_id, actor=context.actor))


def do_end(context: RoomContext) -> dict[str, Any]:
    """End the show."""
    return _session(sessions.session_end(session_id=context.session_id, actor=context.actor))


def do_ping(context: RoomContext) -> dict[str, Any]:
    """Return the server's time."""
    return {"now": timezone.now().isoformat().replace("+00:00", "Z")}


COMMANDS: dict[str, CommandHandler[RoomContext]] = {
    "session.pause": CommandHandler(do_pause),
    "session.resume": CommandHandler(do_resume),
    "session.end": CommandHandler(do_end),
    "ping": CommandHandler(do_ping),
}
