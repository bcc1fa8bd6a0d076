"""Rooms that shows have left, by ending or by going on elsewhere, are closed at their provider."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from livestream.outbox import outbox_deliver, outbox_handler, outbox_put
from providers.interface import RoomRef
from providers.registry import provider_named
from streams.models import ProviderRoom, StreamSession
from streams.services.provider.gateway_resources import connections_end

KIND = "media.room"


def room_leave(*, session: StreamSession, now: datetime) -> None:
    """Have the room closed that a session has; part of the transaction that leaves it, or ends the session."""
    payload = {
        "session": str(session.pk),
        "provider": session.provider,
        "channel": session.channel_id,
        "node": session.media_node,
    }
    key = _key(session.provider, session.channel_id)
    outbox_put(kind=KIND, key=key, target=session.provider, payload=payload, now=now)


def room_close(*, provider: str, channel_id: str) -> None:
    """Close a room that was left at once, after the commit."""
    outbox_deliver(kind=KIND, keys=[_key(provider, channel_id)])


def _key(provider: str, channel_id: str) -> str:
    return f"{provider}:{channel_id}"


@outbox_handler(KIND)
def _room_close(payload: dict[str, Any]) -> None:
    provider, channel = payload["provider"], payload["channel"]
    if provider not in settings.PROVIDERS:
        return
    made = ProviderRoom.objects.filter(provider=provider, channel_id=channel).values_list("details", flat=True).first()
    room = RoomRef(UUID(payload["session"]), channel, node=payload["node"], external=made or {})
    if not connections_end(room=room, provider=provider):
        provider_named(provider).close(room=room)
