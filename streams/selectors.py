"""Reads. Each says what it returns and joins what its payload needs."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from livestream.actors import Actor
from livestream.errors import Missing
from streams.models import (
    Participant,
    ParticipantStatus,
    SessionEvent,
    StreamSession,
    Visibility,
)
from streams.payloads import instant, participant_payload
from streams.permissions import ON_STAGE, Standing
from streams.state import LIVE, SessionState

RESUME_LIMIT = 300
RECENT_REPLAYS = timedelta(days=90)

# What other apps add to a room: events by (session, after, up to), as documents.
EventSource = Callable[[UUID, int, int], list[dict[str, Any]]]


def sessions() -> QuerySet[StreamSession]:
    """Sessions with what their payload needs."""
    return StreamSession.objects.select_related("host", "settings")


def session_get(session_id: UUID) -> StreamSession:
    """One session. Raises Missing."""
    session = sessions().filter(pk=session_id).first()
    if session is None:
        raise Missing("session.missing", "There is no such show.")
    return session


def sessions_visible_to(actor: Actor) -> QuerySet[StreamSession]:
    """Sessions that may be listed for the actor: public ones, and those the actor has a part in."""
    if actor.is_staff:
        return sessions()
    if actor.user_id is None:
        return sessions().filter(visibility=Visibility.PUBLIC)
    own = Participant.objects.filter(Q(invited=True) | Q(role__in=ON_STAGE), user_id=actor.user_id).exclude(
        status=ParticipantStatus.BANNED
    )
    return sessions().filter(
        Q(visibility=Visibility.PUBLIC)
        | Q(host_id=actor.user_id)
        | Q(visibility=Visibility.PRIVATE, pk__in=own.values("session_id"))
    )


def live_sessions() -> QuerySet[StreamSession]:
    """Public shows that run now, the most watched first."""
    return sessions().filter(state__in=LIVE, visibility=Visibility.PUBLIC).order_by("-viewer_count", "-started_at")


def upcoming_sessions(*, now: datetime) -> QuerySet[StreamSession]:
    """Public shows that are announced, the next first. One that is a little late still shows."""
    return (
        sessions()
        .filter(
            state=SessionState.INITIALIZING,
            visibility=Visibility.PUBLIC,
            scheduled_for__gte=now - timedelta(hours=2),
        )
        .order_by("scheduled_for")
    )


def past_sessions(*, now: datetime) -> QuerySet[StreamSession]:
    """Public shows that took place, the latest first."""
    return (
        sessions()
        .filter(
            state=SessionState.ENDED,
            visibility=Visibility.PUBLIC,
            started_at__isnull=False,
            ended_at__gte=now - RECENT_REPLAYS,
        )
        .order_by("-ended_at")
    )


def hosted_sessions(*, user_id: UUID) -> QuerySet[StreamSession]:
    """A person's own sessions, the newest first."""
    return sessions().filter(host_id=user_id).order_by("-created_at")


def stage_of(session_id: UUID) -> list[dict[str, Any]]:
    """The people on stage; what every viewer is told. The audience is a count."""
    rows = (
        Participant.objects.filter(session_id=session_id, status=ParticipantStatus.ACTIVE, role__in=ON_STAGE)
        .select_related("user")
        .order_by("joined_at", "id")
    )
    return [participant_payload(row) for row in rows]


def participants_of(*, session_id: UUID, actor: Actor, standing: Standing) -> QuerySet[Participant]:
    """The people in a session that the actor may know of: a moderator of it everybody who is or was there, a person
    who is signed in those who are there, and anybody else those on stage. The rest of the audience is a count."""
    rows = Participant.objects.filter(session_id=session_id).select_related("user").order_by("joined_at", "id")
    if standing.can_moderate:
        return rows
    present = rows.filter(status=ParticipantStatus.ACTIVE)
    return present if actor.user_id is not None else present.filter(role__in=ON_STAGE)


def positions(session_ids: list[UUID]) -> dict[UUID, tuple[str, int]]:
    """Epoch and last sequence number of rooms."""
    rows = StreamSession.objects.filter(pk__in=session_ids).values_list("pk", "epoch", "head_seq")
    return {pk: (epoch, head_seq) for pk, epoch, head_seq in rows}


def session_event_documents(session_id: UUID, after: int, up_to: int) -> list[dict[str, Any]]:
    """Durable events other than chat, as the socket sends them."""
    rows = SessionEvent.objects.filter(session_id=session_id, seq__gt=after, seq__lte=up_to).order_by("seq")
    return [{"type": row.type, "seq": row.seq, "ts": instant(row.created_at), "data": row.data} for row in rows]


def merged_events(session_id: UUID, after: int, up_to: int, *, sources: Sequence[EventSource]) -> list[dict[str, Any]]:
    """The durable events of a stretch of a room's sequence from all who keep some, in order."""
    documents = [document for source in sources for document in source(session_id, after, up_to)]
    return sorted(documents, key=lambda document: document["seq"])
