"""The seats on stage. Steps of the services that change a stage, without a transaction of their own.

All of them run while the session's row is locked, so the people who are counted are the people who are there: the cap
is exact, and a seat that somebody leaves is free for the next who gets the lock.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from livestream.errors import Conflict, Denied, Missing
from livestream.events import desk_open, desk_shut, publish
from streams.events import StageChanged
from streams.models import MutedBy, Participant, ParticipantStatus, Role, StreamSession
from streams.permissions import GUESTS, standing_in, takes_guests
from streams.selectors import participants, sessions, stage_of
from streams.services.people.credentials import Lost, credentials_revoke
from streams.services.provider.uids import provider_uid
from streams.services.show.sequence import event_record
from streams.state import LIVE, OPEN, OVER

SEATS = 20
MEDIA_FIELDS = (
    "audio_muted",
    "audio_muted_by",
    "video_muted",
    "video_muted_by",
    "screen_sharing",
    "screen_stopped",
    "media_due_at",
)
SEAT_FIELDS = ("role", "staged_at", "media_seen_at", "media_lost_at", *MEDIA_FIELDS)


def stage_lock(session_id: UUID) -> StreamSession:
    """The session, its row locked until the transaction ends. Raises Missing, and Conflict once the show is over."""
    # Weaker than FOR UPDATE, which would wait for everybody who is just coming in (their row refers to this one).
    session = sessions().select_for_update(no_key=True, of=("self",)).filter(pk=session_id).first()
    if session is None:
        raise Missing("session.missing", "There is no such show.")
    if session.state in OVER:
        raise Conflict("session.ended", "This show is over.")
    return session


def session_lock_if_open(session_id: UUID) -> bool:
    """Lock the session's row as `stage_lock` does; False when the show is over or gone, and everybody has left it."""
    rows = StreamSession.objects.select_for_update(no_key=True).filter(pk=session_id, state__in=OPEN)
    return bool(rows.values_list("pk").first())


def require_live(session: StreamSession) -> None:
    """People come on stage in a show that runs."""
    if session.state not in LIVE:
        raise Conflict("stage.not_live", "The show has not started yet. Wait for it.")


def require_open_stage(session: StreamSession) -> None:
    """The show runs, and its host wants guests."""
    require_live(session)
    if not takes_guests(session):
        raise Denied("stage.closed", "This show takes no guests.")


def person_lock(session_id: UUID, user_id: UUID) -> Participant:
    """Somebody's row in a session, locked as the session is. Raises Missing for who was never here."""
    row = _locked(session_id, user_id)
    if row is None:
        raise Missing("participant.missing", "That person is not in this show.")
    return row


def _locked(session_id: UUID, user_id: UUID) -> Participant | None:
    rows = participants().select_for_update(of=("self",))
    return rows.filter(session_id=session_id, user_id=user_id).first()


def is_seated(person: Participant) -> bool:
    """Whether somebody has a seat on stage beside the host."""
    return person.status == ParticipantStatus.ACTIVE and person.role in GUESTS


def require_seated(person: Participant) -> None:
    """Somebody has a seat on stage."""
    if not is_seated(person):
        raise Conflict("stage.not_on_stage", "That person is not on stage.")


def seat_take(*, session: StreamSession, person: Participant, now: datetime) -> None:
    """Bring somebody on stage as a guest. Raises Conflict when no seat is free.

    Whoever takes a seat has a number, where the provider knows numbers: what tells of the seat tells of it too.
    """
    if person.status != ParticipantStatus.ACTIVE:
        raise Conflict("stage.not_here", "That person is not in the room at the moment.")
    if person.role != Role.VIEWER:
        raise Conflict("stage.on_stage_already", "That person is on stage already.")
    taken = Participant.objects.filter(session_id=session.pk, status=ParticipantStatus.ACTIVE, role__in=GUESTS).count()
    if taken >= min(session.settings.max_guests, SEATS):
        raise Conflict("stage.full", "The stage is full. Wait until somebody leaves it.")
    silent, dark = not session.settings.guest_audio_default, not session.settings.guest_video_default
    person.role = Role.GUEST
    person.staged_at = person.media_due_at = now
    person.media_seen_at = person.media_lost_at = None
    person.audio_muted, person.audio_muted_by = silent, MutedBy.HOST if silent else ""
    person.video_muted, person.video_muted_by = dark, MutedBy.HOST if dark else ""
    person.screen_sharing = person.screen_stopped = False
    person.save(update_fields=SEAT_FIELDS)
    provider_uid(session=session, user_id=person.user_id)


def seat_leave(*, person: Participant, now: datetime) -> None:
    """Take somebody off the stage; the seat is free at once, and what they hold to publish with is worth nothing."""
    was_cohost = person.role == Role.COHOST
    person.role = Role.VIEWER
    person.staged_at = person.media_seen_at = person.media_lost_at = None
    person.audio_muted = person.video_muted = person.screen_sharing = person.screen_stopped = False
    person.audio_muted_by = person.video_muted_by = ""
    person.media_due_at = now
    person.save(update_fields=SEAT_FIELDS)
    credentials_revoke(session_id=person.session_id, user_id=person.user_id, lost=Lost.PUBLISHING, now=now)
    if was_cohost:
        desk_place(person)


def seat_rank(*, person: Participant, role: Role, now: datetime) -> None:
    """Make a guest a cohost, or a cohost a guest."""
    person.role, person.media_due_at = role, now
    person.save(update_fields=("role", "media_due_at"))
    desk_place(person)


def desk_place(person: Participant) -> None:
    """Have somebody's open sockets hear the host's desk as long as they moderate, for whatever reason that is."""
    change = desk_open if standing_in(person).can_moderate else desk_shut
    change(session_id=person.session_id, user_id=person.user_id)


def stage_tell(
    *,
    session_id: UUID,
    user_id: UUID | None,
    what: str,
    by: UUID | None,
    now: datetime,
    kind: str | None = None,
) -> None:
    """Count the seats that are taken, and tell the room who is on stage and what happened. `user_id` None: to several;
    `by` None: by itself."""
    people = stage_of(session_id)
    guests = sum(person["role"] in GUESTS for person in people)
    StreamSession.objects.filter(pk=session_id).update(guest_count=guests)
    change: dict[str, Any] = {"user": str(user_id) if user_id else None, "what": what, "by": str(by) if by else None}
    if kind is not None:
        change["kind"] = kind
    data = {
        "participants": people,
        "change": change,
        "guest_count": guests,
    }
    seq = event_record(session_id=session_id, wire_name=StageChanged.wire_name, data=data, now=now)
    publish(StageChanged(session_id=session_id, at=now, seq=seq, data=data))
