"""A session as its media provider knows it."""

from streams.models import StreamSession
from streams.providers.base import RoomRef


def room_ref(session: StreamSession) -> RoomRef:
    """The session as its provider knows it."""
    return RoomRef(session_id=session.pk, channel_id=session.channel_id, node=session.media_node)
