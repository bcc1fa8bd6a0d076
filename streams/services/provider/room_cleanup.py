"""Rooms that shows have left, by going on elsewhere or by being over: closed until their provider has taken it.

Each is written down in the transaction that leaves it, so that nobody stays there because a provider did not answer
or a process died.
"""

import logging
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from livestream.errors import ProviderError
from providers.base import Capability, RoomRef
from providers.registry import provider_can, provider_named
from streams.models import LeftRoom, ProviderRoom, StreamSession
from streams.services.provider.gateway_resources import held_room

RETRY_AFTER, REFUSED_AGAIN_AFTER, GIVEN_UP_AFTER = timedelta(seconds=2), timedelta(seconds=60), timedelta(days=1)
AT_ONCE, SWEEP_SECONDS = 100, 2.0

logger = logging.getLogger(__name__)


def room_leave(*, session: StreamSession, now: datetime) -> None:
    """Have the room closed that a session has; part of the transaction that leaves it behind, or ends the session."""
    # These have sweeps: `media_reconcile` closes rooms of the built-in node, `resources_sweep` what is open
    # through our own address.
    if session.provider not in settings.PROVIDERS or session.provider == "builtin":
        return
    if provider_can(session.provider, Capability.GATEWAY):
        return
    LeftRoom.objects.get_or_create(
        provider=session.provider,
        channel_id=session.channel_id,
        defaults={
            "session_id": session.pk,
            "left_at": now,
            "next_at": now + RETRY_AFTER,  # whoever left it closes it first
        },
    )


def room_close(*, provider: str, room: RoomRef) -> None:
    """Close a room that was left, once that is committed. What fails is for a sweep."""
    rows = LeftRoom.objects.filter(provider=provider, channel_id=room.channel_id)
    try:
        with held_room(room, provider=provider) as held:
            provider_named(provider).close(room=held)
    except ProviderError as error:
        logger.warning("room left open, a sweep will close it session=%s error=%s", room.session_id, error)
        if error.permanent:
            _refused(rows, timezone.now())
    else:
        rows.delete()


def left_rooms_close(*, now: datetime) -> int:
    """Close what could not be closed when it was left; how many.

    A provider that does not answer is asked once.
    """
    due = LeftRoom.objects.filter(next_at__lte=now, provider__in=settings.PROVIDERS)
    rows = list(due.order_by("next_at")[:AT_ONCE])
    rooms = _rooms(rows)
    taken, refused, silent = list[LeftRoom](), list[LeftRoom](), dict[str, int]()
    until = time.monotonic() + SWEEP_SECONDS
    for row in rows:
        if row.provider in silent:
            continue
        if time.monotonic() > until:
            break
        try:
            provider_named(row.provider).close(room=rooms[row.pk])
        except ProviderError as error:
            logger.warning("room still open session=%s provider=%s error=%s", row.session_id, row.provider, error)
            if error.permanent:
                refused.append(row)
            else:
                silent[row.provider] = row.pk
        else:
            taken.append(row)
    LeftRoom.objects.filter(pk__in=[row.pk for row in taken]).delete()
    _refused(refused, now)
    if silent:
        # All that wait for it, or they would keep those of other providers from their turn. Next time it is asked
        # about another one first: what does not answer may be this room alone.
        due.filter(provider__in=silent).update(next_at=now + RETRY_AFTER)
        LeftRoom.objects.filter(pk__in=silent.values()).update(next_at=now + 2 * RETRY_AFTER)
    return len(taken)


def _rooms(rows: list[LeftRoom]) -> dict[int, RoomRef]:
    """Each of them as its provider knows it."""
    made = ProviderRoom.objects.filter(channel_id__in=[row.channel_id for row in rows])
    details = {(one.provider, one.channel_id): one.details for one in made}
    return {
        row.pk: RoomRef(
            session_id=row.session_id,
            channel_id=row.channel_id,
            external=details.get((row.provider, row.channel_id), {}),
        )
        for row in rows
    }


def _refused(rows: Iterable[LeftRoom], now: datetime) -> None:
    """A refusal may be over soon, a key that is being changed, say. After a day nothing is expected any more."""
    later, given_up = list[int](), list[int]()
    for row in rows:
        if row.left_at < now - GIVEN_UP_AFTER:
            logger.error("room never closed session=%s provider=%s", row.session_id, row.provider)
            given_up.append(row.pk)
        else:
            later.append(row.pk)
    if later:
        LeftRoom.objects.filter(pk__in=later).update(next_at=now + REFUSED_AGAIN_AFTER)
    if given_up:
        LeftRoom.objects.filter(pk__in=given_up).delete()
