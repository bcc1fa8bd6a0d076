"""The seats on stage. Steps of the services that change a stage, without a transaction of their own.

All run under the lock on the session's row, so the count is exact, and a freed seat goes to the next holder of the
lock.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from livestream.errors import Conflict, Denied, Missing
from livestream.events import publish, studio_subscribe, studio_unsubscribe
from streams.events import StageChanged
from streams.models import MutedBy, Participant, ParticipantStatus, Role, StreamSession
from streams.permissions import GUESTS, standing_in, takes_guests
from streams.selectors import participants, sessions, stage_of
from streams.services.people.revocation import Lost, credentials_revoke
from streams.services.provider.participant_sync import participant_sync_put
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
)
SEAT_FIELDS = ("role", "staged_at", "media_seen_at", "media_lost_at", *MEDIA_FIELDS)


def stage_lock(session_id: UUID) -> StreamSession:
    """Return the session with its row locked until the transaction ends. Raises Missing, and Conflict once it is
    over."""
    # Weaker than FOR UPDATE, which would wait for each participant row being inserted (they reference this one).
    session = sessions().select_for_update(no_key=True, of=("self",)).filter(pk=session_id).first()
    if session is None:
        raise Missing("session.missing", "Show not found.")
    if session.state in OVER:
        raise Conflict("session.ended", "This show has ended.")
    return session


def session_lock_if_open(session_id: UUID) -> bool:
    """Lock the session's row as `stage_lock` does. Return False if the show is over or deleted."""
    rows = StreamSession.objects.select_for_update(no_key=True).filter(pk=session_id, state__in=OPEN)
    return bool(rows.values_list("pk").first())


def require_live(session: StreamSession) -> None:
    """Require a running show. Raises Conflict."""
    if session.state not in LIVE:
        raise Conflict("stage.not_live", "The show hasn't started yet.")


def require_open_stage(session: StreamSession) -> None:
    """Require a running show that takes guests. Raises Conflict, Denied."""
    require_live(session)
    if not takes_guests(session):
        raise Denied("stage.closed", "This show doesn't take guests.")


def person_lock(session_id: UUID, user_id: UUID) -> Participant:
    """Lock and return a participant's row. Raises Missing for people who never entered."""
    row = _locked(session_id, user_id)
    if row is None:
        raise Missing("participant.missing", "That person isn't in this show.")
    return row


def _locked(session_id: UUID, user_id: UUID) -> Participant | None:
    rows = participants().select_for_update(of=("self",))
    return rows.filter(session_id=session_id, user_id=user_id).first()


def is_seated(person: Participant) -> bool:
    """Return whether a participant has a seat on stage."""
    return person.status == ParticipantStatus.ACTIVE and person.role in GUESTS


def require_seated(person: Participant) -> None:
    """Require a seat on stage. Raises Conflict."""
    if not is_seated(person):
        raise Conflict("stage.not_on_stage", "That person isn't on stage.")


def seat_take(*, session: StreamSession, person: Participant, now: datetime) -> None:
    """Seat a participant as a guest. Raises Conflict if no seat is free.

    Assigns a uid first where the provider uses numbers, so that the event about the seat carries it.
    """
    if person.status != ParticipantStatus.ACTIVE:
        raise Conflict("stage.not_here", "That person isn't in the room right now.")
    if person.role != Role.VIEWER:
        raise Conflict("stage.on_stage_already", "That person is already on stage.")
    taken = Participant.objects.filter(session_id=session.pk, status=ParticipantStatus.ACTIVE, role__in=GUESTS).count()
    if taken >= min(session.settings.max_guests, SEATS):
        raise Conflict("stage.full", "The stage is full. Try again when someone leaves.")
    silent, dark = not session.settings.guest_audio_default, not session.settings.guest_video_default
    person.role = Role.GUEST
    person.staged_at = now
    person.media_seen_at = person.media_lost_at = None
    person.audio_muted, person.audio_muted_by = silent, MutedBy.HOST if silent else ""
    person.video_muted, person.video_muted_by = dark, MutedBy.HOST if dark else ""
    person.screen_sharing = person.screen_stopped = False
    person.save(update_fields=SEAT_FIELDS)
    participant_sync_put(person=person, now=now)
    provider_uid(session=session, user_id=person.user_id)


def seat_leave(*, person: Participant, now: datetime) -> None:
    """Free the participant's seat at once and revoke their right to publish."""
    was_cohost = person.role == Role.COHOST
    person.role = Role.VIEWER
    person.staged_at = person.media_seen_at = person.media_lost_at = None
    person.audio_muted = person.video_muted = person.screen_sharing = person.screen_stopped = False
    person.audio_muted_by = person.video_muted_by = ""
    person.save(update_fields=SEAT_FIELDS)
    participant_sync_put(person=person, now=now)
    credentials_revoke(session_id=person.session_id, user_id=person.user_id, lost=Lost.PUBLISHING, now=now)
    if was_cohost:
        studio_subscription_update(person)


def seat_rank(*, person: Participant, role: Role, now: datetime) -> None:
    """Make a guest a co-host, or a co-host a guest."""
    person.role = role
    person.save(update_fields=("role",))
    participant_sync_put(person=person, now=now)
    studio_subscription_update(person)


def studio_subscription_update(person: Participant) -> None:
    """Subscribe or unsubscribe a participant's open sockets to the studio, depending on whether they moderate."""
    change = studio_subscribe if standing_in(person).can_moderate else studio_unsubscribe
    change(session_id=person.session_id, user_id=person.user_id)


def stage_notify(
    *,
    session_id: UUID,
    user_id: UUID | None,
    what: str,
    by: UUID | None,
    now: datetime,
    kind: str | None = None,
) -> None:
    """Recount the seats and publish the stage and the change. `user_id` None: several people; `by` None: the system."""
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
