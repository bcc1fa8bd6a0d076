"""The snapshot that a socket receives on entry: a part shared by the room, and a personal part."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils import timezone

from livestream.actors import Actor
from livestream.errors import DomainError
from livestream.realtime.protocol import encode
from streams.models import ParticipantStatus, StreamSession
from streams.payloads import session_payload
from streams.permissions import Standing, can_ask_stage, require_view_as, standings_of
from streams.selectors import (
    RESUME_LIMIT,
    EventSource,
    invitations_of,
    merged_events,
    queue_of,
    request_of,
    requesters,
    session_event_documents,
    session_get,
    stage_of,
)
from streams.services.people.viewers import viewers_enter
from streams.state import OVER

# Returns the personal values of many people in a session.
Personal = Callable[[UUID, Sequence[UUID]], Mapping[UUID, Any]]
# Returns a section of a session's snapshot, as of a sequence number.
Section = Callable[[UUID, int], Any]


@dataclass(frozen=True)
class RoomParts:
    """Additions of other apps to a room: snapshot sections, sources of durable events, and parts of `me`."""

    sections: dict[str, Section] = field(default_factory=dict)
    sources: tuple[EventSource, ...] = ()
    personal: dict[str, Personal] = field(default_factory=dict)

    def events(self, session_id: UUID, after: int, up_to: int) -> list[dict[str, Any]]:
        """Return all durable events of a range of the room's sequence, in order."""
        return merged_events(session_id, after, up_to, sources=[session_event_documents, *self.sources])


@dataclass(frozen=True, slots=True)
class RoomContext:
    """A person in a room; passed to every command."""

    session_id: UUID
    actor: Actor


@dataclass(frozen=True, slots=True)
class SharedRoom:
    """The shared state of a room at one sequence number. `inner` is `common` encoded, without its braces."""

    session: StreamSession
    common: dict[str, Any]
    inner: str

    @property
    def seq(self) -> int:
        return self.session.head_seq

    @property
    def epoch(self) -> str:
        return self.session.epoch


def room_load(session_id: UUID, parts: RoomParts) -> SharedRoom:
    """Read a room. Raises Missing."""
    session = session_get(session_id)
    common: dict[str, Any] = {
        "epoch": session.epoch,
        "seq": session.head_seq,
        "session": session_payload(session, now=timezone.now()),
        "participants": stage_of(session.pk),
        "slots": session.stage_slots,
    }
    common |= {name: section(session.pk, session.head_seq) for name, section in parts.sections.items()}
    return SharedRoom(session=session, common=common, inner=encode(common)[1:-1])


@dataclass(frozen=True, slots=True)
class Admission:
    """An admission: standing and personal part."""

    standing: Standing
    personal: dict[str, Any] = field(default_factory=dict)


def rooms_admit(asked: Sequence[tuple[RoomContext, StreamSession, RoomParts]]) -> list[Admission | DomainError]:
    """Admit logged-in people to rooms as participants. Return the admission or the error for each.

    A crowd costs a few queries and one transaction per room, not per person.
    """
    rooms: dict[UUID, list[tuple[RoomContext, StreamSession, RoomParts]]] = defaultdict(list)
    for ask in asked:
        rooms[ask[1].pk].append(ask)
    outcomes: dict[tuple[UUID, UUID | None], Admission | DomainError] = {}
    for session_id, asks in rooms.items():
        people = {context.actor.user_id: context.actor for context, _, _ in asks if context.actor.user_id is not None}
        _, session, parts = asks[-1]  # the most recently read room
        admissions = _admissions(people, session=session, parts=parts)
        outcomes |= {(session_id, user_id): admission for user_id, admission in admissions.items()}
    return [outcomes[session.pk, context.actor.user_id] for context, session, _ in asked]


def _admissions(
    people: Mapping[UUID, Actor], *, session: StreamSession, parts: RoomParts
) -> dict[UUID, Admission | DomainError]:
    found = _entered(people, session=session)
    inside = {user_id: standing for user_id, standing in found.items() if isinstance(standing, Standing)}
    personal = {name: read(session.pk, list(inside)) for name, read in parts.personal.items()}
    asked = requesters(session_id=session.pk, user_ids=inside)
    now = timezone.now()
    admissions: dict[UUID, Admission | DomainError] = {}
    for user_id, outcome in found.items():
        if isinstance(outcome, DomainError):
            admissions[user_id] = outcome
            continue
        mine = {name: values[user_id] for name, values in personal.items()}
        has_request = user_id in asked
        mine["request"] = request_of(session_id=session.pk, user_id=user_id, now=now) if has_request else None
        if outcome.can_moderate:
            mine |= {"queue": queue_of(session.pk), "invitations": invitations_of(session.pk)}
        admissions[user_id] = Admission(outcome, mine)
    return admissions


def _entered(people: Mapping[UUID, Actor], *, session: StreamSession) -> dict[UUID, Standing | DomainError]:
    standings = standings_of(actors={(session.pk, user_id): actor for user_id, actor in people.items()})
    outcomes: dict[UUID, Standing | DomainError] = {}
    newcomers: dict[UUID, Standing] = {}
    for user_id, actor in people.items():
        outcomes[user_id] = standing = standings[session.pk, user_id]
        try:
            require_view_as(standing=standing, actor=actor, session=session)
        except DomainError as error:
            outcomes[user_id] = error
        else:
            if standing.status != ParticipantStatus.ACTIVE and session.state not in OVER:
                newcomers[user_id] = standing
    if newcomers:
        outcomes |= viewers_enter(session_id=session.pk, standings=newcomers)
    return outcomes


def recent_events(session_id: UUID, parts: RoomParts) -> tuple[int, list[dict[str, Any]]]:
    """Return the room's last sequence number, and the events for a resume."""
    head = session_get(session_id).head_seq
    return head, parts.events(session_id, max(0, head - RESUME_LIMIT), head)


def me_payload(*, actor: Actor, admission: Admission, session: StreamSession) -> dict[str, Any]:
    """Return the personal part of the snapshot: identity and rights."""
    standing = admission.standing
    signed_in = actor.user_id is not None
    open_ = session.state not in OVER
    chat_on = session.settings.enable_chat or standing.can_moderate
    return {
        "id": str(actor.user_id) if signed_in else None,
        "username": actor.username,
        "display_name": actor.display_name,
        "role": standing.role or "viewer",
        "moderator": standing.moderates,
        "can": {
            "chat": signed_in and open_ and chat_on,
            "moderate": signed_in and standing.can_moderate,
            "control": signed_in and standing.is_host,
            "appoint": signed_in and (standing.is_host or actor.is_staff),
            "publish": signed_in and open_ and standing.can_publish,
            "ask_stage": signed_in and can_ask_stage(standing=standing, session=session),
        },
        **admission.personal,
    }
