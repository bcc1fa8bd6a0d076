"""A session's room at its media provider, and its preparation before anyone joins."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from livestream.errors import Unavailable
from providers.interface import Capability, RoomRef
from providers.registry import provider_named
from streams.models import ProviderRoom, StreamSession

# A process that claimed the preparation and has not finished by then is presumed dead.
CLAIM_LIFE = timedelta(seconds=30)


def room_ref(session: StreamSession) -> RoomRef:
    """Return the session's room at its provider."""
    external: dict[str, str] = {}
    if Capability.NEEDS_ROOM in provider_named(session.provider).capabilities:
        made = _rooms(session).filter(ready_at__isnull=False).values_list("details", flat=True).first()
        external = made or {}
    return _ref(session, external)


def room_prepare(session: StreamSession) -> RoomRef:
    """Return the session's room, creating it at the provider if needed: once, however many ask at the same time.

    Calls the provider outside of any transaction. Raises ProviderError, and Unavailable while another request creates
    it.
    """
    provider = provider_named(session.provider)
    room = room_ref(session)
    if room.external or Capability.NEEDS_ROOM not in provider.capabilities:
        return room
    now = timezone.now()
    with transaction.atomic():
        row, mine = ProviderRoom.objects.get_or_create(
            provider=session.provider,
            channel_id=session.channel_id,
            defaults={"session_id": session.pk, "claimed_at": now},
        )
    if row.ready_at is not None:
        return _ref(session, row.details)
    if not mine and not _rooms(session).filter(Q(claimed_at__lt=now - CLAIM_LIFE), ready_at__isnull=True).update(
        claimed_at=now
    ):
        raise Unavailable("provider.preparing", "The show's room is being prepared. Try again soon.", retry_after=1)
    try:
        details = provider.prepare(room=room)
    except BaseException:
        _rooms(session).filter(ready_at__isnull=True).delete()  # the next request tries again
        raise
    _rooms(session).update(details=details, ready_at=timezone.now())
    return _ref(session, details)


def _ref(session: StreamSession, external: dict[str, str]) -> RoomRef:
    return RoomRef(
        session_id=session.pk, channel_id=session.channel_id, node=session.media_node, external=dict(external)
    )


def _rooms(session: StreamSession) -> QuerySet[ProviderRoom]:
    return ProviderRoom.objects.filter(provider=session.provider, channel_id=session.channel_id)
