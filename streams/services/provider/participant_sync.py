"""Synchronization of participants with the media provider.

The rows define the target state: stage roles, mutes and removals. A service that changes one schedules a sync
(`participant_sync_put`) in the same transaction. A sync sends the participant's whole current state, so repeating it is
harmless.
"""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from livestream.errors import ProviderError
from livestream.outbox import outbox_deliver, outbox_handler, outbox_put
from providers.interface import Capability, MediaRole, Provider, RoomRef
from providers.registry import provider_named
from streams.models import MutedBy, Participant, ParticipantStatus, Role
from streams.permissions import GUESTS, OUT
from streams.services.provider.gateway_connections import connections_end
from streams.services.provider.provider_rooms import room_ref
from streams.services.provider.uids import held_uids, known_uid, uid_retire
from streams.state import OPEN

KIND = "media.participant"
# A grant lasts its lifetime plus a minute of clock tolerance at the media node. After that a removal need not be
# repeated.
GRANT_LIFE = timedelta(seconds=settings.MEDIA_TOKEN_SECONDS + 120)

logger = logging.getLogger(__name__)


def participant_sync_put(*, person: Participant, now: datetime) -> None:
    """Schedule a sync of the participant with the provider; part of the transaction that changes their state."""
    outbox_put(
        kind=KIND,
        key=_key(person.session_id, person.user_id),
        target=person.session.provider,
        payload={"session": str(person.session_id), "user": str(person.user_id)},
        now=now,
    )


def participant_sync_deliver(*, session_id: UUID, user_ids: Iterable[UUID]) -> None:
    """Sync these participants with the provider at once, after the commit."""
    outbox_deliver(kind=KIND, keys=[_key(session_id, user_id) for user_id in user_ids])


def _key(session_id: UUID, user_id: UUID) -> str:
    return f"{session_id}:{user_id}"


@outbox_handler(KIND)
def _participant_sync(payload: dict[str, Any]) -> None:
    """Send a participant's state to the provider. Its refusal of a stage change is ignored; a removal is retried."""
    rows = Participant.objects.filter(session_id=payload["session"], user_id=payload["user"], session__state__in=OPEN)
    row = rows.select_related("session", "user").first()
    if row is None or row.session.provider not in settings.PROVIDERS:
        return
    if row.status in OUT and row.user.is_staff:
        return  # staff have access all the same, and may be present again
    try:
        _notify(provider_named(row.session.provider), row)
    except ProviderError as error:
        if not (error.permanent and _seated(row)):
            raise
        logger.warning("provider refused session=%s user=%s error=%s", row.session_id, row.user_id, error)


def _seated(row: Participant) -> bool:
    return row.status == ParticipantStatus.ACTIVE and row.role in GUESTS


def _notify(provider: Provider, row: Participant) -> None:
    now = timezone.now()
    # Empty for a participant who never got a credential for this provider and has nothing to lose there.
    uids = held_uids(session=row.session, user_id=row.user_id, now=now)
    room = room_ref(row.session)
    seated = _seated(row)
    in_use = known_uid(session=row.session, user_id=row.user_id)
    for uid in uids:
        if row.status in OUT:
            if not connections_end(room=room, provider=provider.name, uid=uid):
                provider.remove(room=room, uid=uid)
        elif seated:
            _notify_seated(provider, row, room=room, uid=uid, is_in_use=uid == in_use)
        elif row.role == Role.HOST:
            continue
        elif not connections_end(room=room, provider=provider.name, uid=uid, role=MediaRole.PUBLISHER):
            provider.unpublish(room=room, uid=uid)
    if row.status in OUT:
        uid_retire(session_id=row.session_id, user_id=row.user_id, now=now)


def _notify_seated(provider: Provider, row: Participant, *, room: RoomRef, uid: str, is_in_use: bool) -> None:
    """Sync the stage role and mutes. A retired uid gets no role and no unmute, but is muted with the current one."""
    # Role first: at some providers it resets the permission to send and would lift the mutes.
    if is_in_use:
        provider.set_stage(room=room, uid=uid, stage=row.role)
    for kind, muted in _held(row).items() if Capability.MUTE_AT_SERVER in provider.capabilities else ():
        if muted or (is_in_use and Capability.UNMUTE_AT_SERVER in provider.capabilities):
            provider.mute(room=room, uid=uid, kind=kind, muted=muted)


def _held(row: Participant) -> dict[str, bool]:
    """Return the kinds muted by the host or moderators."""
    return {
        "audio": row.audio_muted_by == MutedBy.HOST,
        "video": row.video_muted_by == MutedBy.HOST,
        "screen": row.screen_stopped,
    }


def guest_seen(*, session_id: UUID, user_id: UUID, at: datetime) -> None:
    """Note that a guest's media arrives. Outdated reports change nothing.

    The participant is synced again: the provider may be new, or they may not belong on stage.
    """
    people = Participant.objects.filter(session_id=session_id, user_id=user_id).exclude(role=Role.HOST)
    with transaction.atomic():
        there = people.filter(status=ParticipantStatus.ACTIVE, role__in=GUESTS, staged_at__lte=at)
        there.filter(
            Q(media_seen_at=None) | Q(media_lost_at__lt=at) | Q(media_lost_at=None, media_seen_at__lt=at)
        ).update(media_seen_at=at, media_lost_at=None)
        person = people.select_related("session").first()
        if person is not None:
            participant_sync_put(person=person, now=timezone.now())
            transaction.on_commit(partial(participant_sync_deliver, session_id=session_id, user_ids=[user_id]))


def guest_compare(*, session_id: UUID, user_id: UUID, sends: Collection[str], now: datetime) -> None:
    """Compare a participant's media, other than the host's, with their row.

    Reported if they were thought to be away, have no seat, or send a kind muted by the host. Otherwise nothing is sent.
    """
    row = Participant.objects.filter(session_id=session_id, user_id=user_id).exclude(role=Role.HOST).first()
    if row is None:
        return
    seated = row.status == ParticipantStatus.ACTIVE and row.role in GUESTS
    known = row.media_seen_at is not None and row.media_lost_at is None
    heard = any(muted and kind in sends for kind, muted in _held(row).items())
    if not (seated and known) or heard:
        guest_seen(session_id=session_id, user_id=user_id, at=now)


def guest_lost(*, session_id: UUID, user_id: UUID, at: datetime) -> None:
    """Note that a guest's media is lost. Outdated reports, and guests who never arrived, change nothing."""
    Participant.objects.filter(
        session_id=session_id,
        user_id=user_id,
        status=ParticipantStatus.ACTIVE,
        role__in=GUESTS,
        media_lost_at__isnull=True,
        media_seen_at__lt=at,
    ).update(media_lost_at=at)


def node_started(*, node: str) -> None:
    """Schedule a sync of mutes and removals after a restart of the media node, which has lost them."""
    now = timezone.now()
    here = Participant.objects.filter(session__provider="builtin", session__media_node=node, session__state__in=OPEN)
    held = Q(audio_muted_by=MutedBy.HOST) | Q(video_muted_by=MutedBy.HOST) | Q(screen_stopped=True)
    concerned = here.filter(
        Q(held, status=ParticipantStatus.ACTIVE, role__in=GUESTS)
        | Q(status__in=OUT, left_at__gt=now - GRANT_LIFE, user__is_staff=False)
    )
    transaction.on_commit(partial(_put_each, list(concerned.select_related("session")), now=now))


def _put_each(people: list[Participant], *, now: datetime) -> None:
    """Schedule syncs one by one: holding one lock at a time avoids deadlocks with services."""
    for person in people:
        participant_sync_put(person=person, now=now)
