"""What the media provider is told of the people in a session, and what it tells of them.

The rows say what should be: who is on stage as what, who is muted, who is out. `media_due_at` says that the provider
has still to be told. It is set together with the change and cleared when the provider has taken it, so a call that
fails, or a process that dies before it, is made good by the next sweep. Telling twice does no harm. Where it stands in
the future the provider refused, and is asked again then.
"""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from livestream.errors import ProviderError, ProviderUnsupported
from livestream.identifiers import as_uuid
from providers.base import Capability, MediaRole, Provider, RoomRef
from providers.registry import provider_named
from streams.models import MutedBy, Participant, ParticipantStatus, Role
from streams.permissions import GUESTS, OUT
from streams.services.provider.gateway_resources import held_room
from streams.services.provider.rooms import room_ref
from streams.services.provider.uids import held_uids, known_uid, uid_retire
from streams.state import OPEN

RETRY_AFTER, REFUSED_AGAIN_AFTER = timedelta(seconds=1), timedelta(seconds=60)
RETRIED_AT_ONCE = 100
# A grant is good for its own life, and the media node forgives clocks a minute; then a removal needs no repeating.
GRANT_LIFE = timedelta(seconds=settings.MEDIA_TOKEN_SECONDS + 120)

logger = logging.getLogger(__name__)


def person_media_tell(*, session_id: UUID, user_id: UUID) -> None:
    """Tell the provider where one person stands now, if it has still to be told."""
    people_media_tell(session_id=session_id, user_ids=[user_id])


def people_media_tell(*, session_id: UUID, user_ids: Iterable[UUID]) -> None:
    """The same for several. When the provider does not answer, the rest is left for the next sweep."""
    rows = Participant.objects.filter(session_id=session_id, user_id__in=list(user_ids), media_due_at__isnull=False)
    for row in rows.select_related("session"):
        if not _told(row, now=timezone.now()):
            return


def media_retry(*, now: datetime) -> None:
    """Tell providers what they could not be told when it happened."""
    due = Participant.objects.filter(media_due_at__lt=now - RETRY_AFTER, session__state__in=OPEN)
    for provider in due.order_by().values_list("session__provider", flat=True).distinct():
        rows = due.filter(session__provider=provider).select_related("session", "user").order_by("media_due_at")
        for row in rows[:RETRIED_AT_ONCE]:
            same = Participant.objects.filter(pk=row.pk, media_due_at=row.media_due_at)
            if row.status in OUT and row.user.is_staff:
                same.update(media_due_at=None)  # the staff gets in all the same, and may be there again
            elif not _told(row, now=now):
                same.update(media_due_at=now)  # last of them: what does not answer may be this room alone
                break


def _told(row: Participant, *, now: datetime) -> bool:
    """Tell one person's provider; False when it did not answer. One that is gone, or cannot do it, is not asked again.

    One that refuses may be one whose key is being changed. To take something away it is asked again after a while;
    who is on stage may go on as they are.
    """
    again = None
    try:
        if row.session.provider in settings.PROVIDERS:
            _tell(provider_named(row.session.provider), row)
    except ProviderError as error:
        logger.warning("provider not told session=%s user=%s error=%s", row.session_id, row.user_id, error)
        if not error.permanent:
            return False
        if not (_seated(row) or isinstance(error, ProviderUnsupported)):
            again = now + REFUSED_AGAIN_AFTER - RETRY_AFTER
    Participant.objects.filter(pk=row.pk, media_due_at=row.media_due_at).update(media_due_at=again)
    return True


def _seated(row: Participant) -> bool:
    return row.status == ParticipantStatus.ACTIVE and row.role in GUESTS


def _tell(provider: Provider, row: Participant) -> None:
    now = timezone.now()
    # None for who never got anything for this provider, and has nothing to lose there.
    uids = held_uids(session=row.session, user_id=row.user_id, now=now)
    room = room_ref(row.session)
    seated = _seated(row)
    in_use = known_uid(session=row.session, user_id=row.user_id)
    for uid in uids:
        if row.status in OUT:
            with held_room(room, provider=row.session.provider, uid=uid) as held:
                provider.remove(room=held, uid=uid)
        elif seated:
            _tell_seated(provider, row, room=room, uid=uid, is_in_use=uid == in_use)
        elif row.role != Role.HOST:
            with held_room(room, provider=row.session.provider, uid=uid, role=MediaRole.PUBLISHER) as held:
                provider.unpublish(room=held, uid=uid)
    if row.status in OUT:
        uid_retire(session_id=row.session_id, user_id=row.user_id, now=now)


def _tell_seated(provider: Provider, row: Participant, *, room: RoomRef, uid: str, is_in_use: bool) -> None:
    """A number that was given up gets no place and no voice any more, but is muted with the other."""
    # The place first: at some providers it says anew what somebody may send, and would lift the mutes.
    if is_in_use:
        provider.set_stage(room=room, uid=uid, stage=row.role)
    for kind, muted in _held(row).items() if Capability.MUTE_AT_SERVER in provider.capabilities else ():
        if muted or (is_in_use and Capability.UNMUTE_AT_SERVER in provider.capabilities):
            provider.mute(room=room, uid=uid, kind=kind, muted=muted)


def _held(row: Participant) -> dict[str, bool]:
    """Which kinds the desk has muted."""
    return {
        "audio": row.audio_muted_by == MutedBy.HOST,
        "video": row.video_muted_by == MutedBy.HOST,
        "screen": row.screen_stopped,
    }


def guest_seen(*, session_id: UUID, user_id: UUID, at: datetime) -> None:
    """Media of somebody other than the host arrives. Old news changes nothing.

    The provider is told once more where the person stands: it may be a new one, and they may not belong there.
    """
    person = Participant.objects.filter(session_id=session_id, user_id=user_id).exclude(role=Role.HOST)
    with transaction.atomic():
        there = person.filter(status=ParticipantStatus.ACTIVE, role__in=GUESTS, staged_at__lte=at)
        there.filter(
            Q(media_seen_at=None) | Q(media_lost_at__lt=at) | Q(media_lost_at=None, media_seen_at__lt=at)
        ).update(media_seen_at=at, media_lost_at=None)
        if person.update(media_due_at=timezone.now()):
            transaction.on_commit(partial(person_media_tell, session_id=session_id, user_id=user_id))


def guest_compare(*, session_id: UUID, user_id: UUID, sends: Collection[str], now: datetime) -> None:
    """Somebody other than the host is there, and sends these kinds: news when they were thought away, have no seat,
    or are heard of with something that the desk has muted. Else they are as they should be, and nothing is told."""
    row = Participant.objects.filter(session_id=session_id, user_id=user_id).exclude(role=Role.HOST).first()
    if row is None:
        return
    seated = row.status == ParticipantStatus.ACTIVE and row.role in GUESTS
    known = row.media_seen_at is not None and row.media_lost_at is None
    heard = any(muted and kind in sends for kind, muted in _held(row).items())
    if not (seated and known) or heard:
        guest_seen(session_id=session_id, user_id=user_id, at=now)


def guest_lost(*, session_id: UUID, user_id: UUID, at: datetime) -> None:
    """Media of somebody other than the host is away. Old news, and who never came, change nothing."""
    Participant.objects.filter(
        session_id=session_id,
        user_id=user_id,
        status=ParticipantStatus.ACTIVE,
        role__in=GUESTS,
        media_lost_at__isnull=True,
        media_seen_at__lt=at,
    ).update(media_lost_at=at)


def node_started(*, node: str) -> None:
    """A media node that has just begun knows of no mute and of nobody who was put out: the next sweep tells it."""
    now = timezone.now()
    here = Participant.objects.filter(session__provider="builtin", session__media_node=node, session__state__in=OPEN)
    held = Q(audio_muted_by=MutedBy.HOST) | Q(video_muted_by=MutedBy.HOST) | Q(screen_stopped=True)
    concerned = here.filter(
        Q(held, status=ParticipantStatus.ACTIVE, role__in=GUESTS)
        | Q(status__in=OUT, left_at__gt=now - GRANT_LIFE, user__is_staff=False)
    )
    transaction.on_commit(partial(_mark_due, list(concerned.values_list("pk", flat=True)), now=now))


def _mark_due(rows: list[int], *, now: datetime) -> None:
    """Have the next sweep tell these. Row by row: who holds one lock at a time never waits crosswise with a service."""
    for pk in rows:
        Participant.objects.filter(pk=pk).update(media_due_at=now - 2 * RETRY_AFTER)


def guests_reconcile(*, publishing: dict[str, set[str]], now: datetime) -> None:
    """Compare who sends media with who is on stage; the provider is right about media, the rows about who may.

    `publishing` are the rooms of the built-in node, session id -> user ids. It was asked before this reads the rows,
    so nobody is taken for missing who came on stage meanwhile: they have never been seen yet.
    """
    guests = Participant.objects.filter(
        session__provider="builtin", session__state__in=OPEN, status=ParticipantStatus.ACTIVE, role__in=GUESTS
    ).values("session_id", "user_id", "media_seen_at", "media_lost_at")
    on_stage = set()
    for row in guests:
        key = {"session_id": row["session_id"], "user_id": row["user_id"]}
        on_stage.add((row["session_id"], row["user_id"]))
        present = str(row["user_id"]) in publishing.get(str(row["session_id"]), set())
        away = row["media_seen_at"] is None or row["media_lost_at"] is not None
        if present and away:
            guest_seen(**key, at=now)
        elif not present and not away:
            guest_lost(**key, at=now)
    for session_id, users in publishing.items():
        strangers = [user for user in users if (as_uuid(session_id), as_uuid(user)) not in on_stage]
        _send_away(session_id, strangers, now=now)


def _send_away(session_id: str, users: list[str], *, now: datetime) -> None:
    """Who sends media without a seat is told not to, again."""
    known = [user for user in map(as_uuid, users) if user is not None]
    session = as_uuid(session_id)
    if known and session is not None:
        rows = Participant.objects.filter(session_id=session, user_id__in=known, session__state__in=OPEN)
        rows = rows.exclude(role=Role.HOST).exclude(role__in=GUESTS, status=ParticipantStatus.ACTIVE)
        _mark_due(list(rows.values_list("pk", flat=True)), now=now)
