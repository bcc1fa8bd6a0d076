"""Closing of rooms at their provider after shows ended or moved elsewhere."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from livestream.outbox import outbox_deliver, outbox_handler, outbox_put
from providers.interface import RoomRef
from providers.registry import provider_named
from streams.models import ProviderRoom, StreamSession
from streams.services.provider.gateway_connections import connections_end

KIND = "media.room"


def room_close_put(*, session: StreamSession, now: datetime) -> None:
    """Schedule the closing of a session's room; part of the transaction that ends the session or moves it elsewhere."""
    payload = {
        "session": str(session.pk),
        "provider": session.provider,
        "channel": session.channel_id,
        "node": session.media_node,
    }
    key = _key(session.provider, session.channel_id)
    outbox_put(kind=KIND, key=key, target=session.provider, payload=payload, now=now)


def room_close_deliver(*, provider: str, channel_id: str) -> None:
    """Close an abandoned room at once, after the commit."""
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
