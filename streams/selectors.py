"""Queries; each joins the rows that its payload needs."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When
from django.db.models.functions import Coalesce

from livestream.actors import Actor
from livestream.errors import Missing
from providers.interface import Capability
from providers.registry import providers_with
from streams.models import (
    GuestRequest,
    GuestRequestStatus,
    MediaUid,
    Participant,
    ParticipantStatus,
    Role,
    SessionEvent,
    SessionModerator,
    StreamSession,
    Visibility,
)
from streams.payloads import instant, request_payload, session_payload, stage_payload
from streams.permissions import ON_STAGE, OUT, Standing
from streams.state import LIVE, SessionState

RESUME_LIMIT = 300
RECENT_REPLAYS = timedelta(days=90)
QUEUE_SHOWN = 50
STAGE_ORDER = (Role.HOST, Role.COHOST, Role.GUEST)

# Durable events of other apps in a room: by (session, after, up to), as documents.
EventSource = Callable[[UUID, int, int], list[dict[str, Any]]]


def sessions() -> QuerySet[StreamSession]:
    """Return sessions with the rows that their payload needs."""
    return StreamSession.objects.select_related("host", "settings")


def session_get(session_id: UUID) -> StreamSession:
    """Return one session. Raises Missing."""
    session = sessions().filter(pk=session_id).first()
    if session is None:
        raise Missing("session.missing", "Show not found.")
    return session


def sessions_visible_to(actor: Actor) -> QuerySet[StreamSession]:
    """Return the sessions that the actor may see in lists: public ones, and those they take part in."""
    if actor.is_staff:
        return sessions()
    if actor.user_id is None:
        return sessions().filter(visibility=Visibility.PUBLIC)
    own = Participant.objects.filter(Q(invited=True) | Q(role__in=ON_STAGE), user_id=actor.user_id).exclude(
        status__in=OUT
    )
    return sessions().filter(
        Q(visibility=Visibility.PUBLIC)
        | Q(host_id=actor.user_id)
        | Q(visibility=Visibility.PRIVATE, pk__in=own.values("session_id"))
    )


def live_sessions() -> QuerySet[StreamSession]:
    """Return the active public shows, most watched first."""
    return sessions().filter(state__in=LIVE, visibility=Visibility.PUBLIC).order_by("-viewer_count", "-started_at")


def upcoming_sessions(*, now: datetime) -> QuerySet[StreamSession]:
    """Return the announced public shows, next first. Those up to two hours late are included."""
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
    """Return the public shows of the last 90 days that took place, latest first."""
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


def listed(rows: Iterable[StreamSession], *, actor: Actor, now: datetime) -> list[dict[str, Any]]:
    """Return sessions for a list. The poster is hidden from people removed from the show."""
    found = list(rows)
    out: set[UUID] = set()
    if found and actor.user_id is not None and not actor.is_staff:
        mine = Participant.objects.filter(user_id=actor.user_id, session__in=found, status__in=OUT)
        out = set(mine.values_list("session_id", flat=True))
    return [session_payload(row, now=now) | ({"poster_url": None} if row.pk in out else {}) for row in found]


def hosted_sessions(*, user_id: UUID) -> QuerySet[StreamSession]:
    """Return a person's own sessions in the order of what they ask for: live ones, scheduled ones with the next first,
    drafts, ended ones."""
    order = Case(
        When(state__in=LIVE, then=0),
        When(state=SessionState.INITIALIZING, scheduled_for__isnull=False, then=1),
        When(state=SessionState.INITIALIZING, then=2),
        default=3,
    )
    next_first = Case(When(state=SessionState.INITIALIZING, then=F("scheduled_for")))
    latest_first = Coalesce("ended_at", "started_at", "created_at").desc()
    return sessions().filter(host_id=user_id).order_by(order, next_first, latest_first)


def participants() -> QuerySet[Participant]:
    """Return participants with the rows that their payload needs."""
    appointed = SessionModerator.objects.filter(session_id=OuterRef("session_id"), user_id=OuterRef("user_id"))
    # A mapping, because the type checker takes a keyword for a second definition of the model's attribute.
    added = {"moderates": Exists(appointed)}
    return Participant.objects.select_related("user").annotate(**added)


def people_on_stage(session_id: UUID) -> list[Participant]:
    """Return the people on stage: the host, then co-hosts, then guests, each in order of joining."""
    rows = participants().filter(session_id=session_id, status=ParticipantStatus.ACTIVE, role__in=ON_STAGE)
    return sorted(rows, key=lambda row: (STAGE_ORDER.index(Role(row.role)), row.joined_at, row.pk))


def stage_of(session_id: UUID) -> list[dict[str, Any]]:
    """Return the people on stage as sent to all viewers. The audience is only a count."""
    people = people_on_stage(session_id)
    numbers = _numbers_of(session_id, [person.user_id for person in people])
    return [stage_payload(person, number=numbers.get(person.user_id)) for person in people]


def _numbers_of(session_id: UUID, user_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return people's uids at the show's current provider, if it uses numbers."""
    numbering = providers_with(Capability.NUMERIC_UIDS)
    if not numbering:
        return {}
    current = MediaUid.objects.filter(session_id=session_id, user_id__in=user_ids, retired_at__isnull=True)
    rows = current.filter(session__provider__in=numbering).values_list("user_id", "number")
    return {user_id: number for user_id, number in rows if user_id is not None}


def guest_requests() -> QuerySet[GuestRequest]:
    """Return guest requests and invitations with the rows that their payload needs."""
    return GuestRequest.objects.select_related("user", "responder", "invited_by")


def queue_rows(session_id: UUID) -> QuerySet[GuestRequest]:
    """Return pending guest requests, oldest first, without invitations."""
    waiting = guest_requests().filter(session_id=session_id, status=GuestRequestStatus.PENDING, invited_by=None)
    return waiting.order_by("created_at", "id")


def queue_position(request: GuestRequest) -> int:
    """Return the position of a pending request in the queue, from 1."""
    earlier = Q(created_at__lt=request.created_at) | Q(created_at=request.created_at, pk__lt=request.pk)
    return queue_rows(request.session_id).filter(earlier).count() + 1


def queue_of(session_id: UUID) -> list[dict[str, Any]]:
    """Return the head of the queue, as shown in the studio."""
    rows = queue_rows(session_id)[:QUEUE_SHOWN]
    return [request_payload(row, position=position) for position, row in enumerate(rows, start=1)]


def invitation_rows(session_id: UUID) -> QuerySet[GuestRequest]:
    """Return pending invitations, oldest first."""
    rows = guest_requests().filter(session_id=session_id, status=GuestRequestStatus.PENDING, invited_by__isnull=False)
    return rows.order_by("created_at", "id")


def invitations_of(session_id: UUID) -> list[dict[str, Any]]:
    """Return the first pending invitations, as shown in the studio."""
    return [request_payload(row) for row in invitation_rows(session_id)[:QUEUE_SHOWN]]


def request_of(*, session_id: UUID, user_id: UUID, now: datetime) -> dict[str, Any] | None:
    """Return a person's latest request or invitation, or None."""
    row = guest_requests().filter(session_id=session_id, user_id=user_id).order_by("-created_at").first()
    return request_now(row, now=now) if row is not None else None


def request_now(request: GuestRequest, *, now: datetime) -> dict[str, Any]:
    """Return a request in its current state."""
    waits = request.status == GuestRequestStatus.PENDING and request.invited_by_id is None
    position = queue_position(request) if waits else None
    return request_payload(request, position=position, retry_after=cooldown_of(request, now=now))


def requesters(*, session_id: UUID, user_ids: Collection[UUID]) -> set[UUID]:
    """Return the people who ever made a request or were invited."""
    rows = GuestRequest.objects.filter(session_id=session_id, user_id__in=user_ids)
    return set(rows.values_list("user_id", flat=True))


def cooldown_of(request: GuestRequest, *, now: datetime) -> float | None:
    """Return the seconds until a rejected person may ask again, or None if they may."""
    declined = request.status == GuestRequestStatus.REJECTED and request.invited_by_id is None
    if not declined or request.answered_at is None:
        return None
    left = (request.answered_at - now).total_seconds() + settings.GUEST_COOLDOWN_SECONDS
    return round(left, 1) if left > 0 else None


def participants_of(*, session_id: UUID, actor: Actor, standing: Standing) -> QuerySet[Participant]:
    """Return the participants visible to the actor.

    A moderator sees all, past and present; a logged-in person those present; an anonymous viewer those on stage. The
    rest of the audience is a count.
    """
    rows = participants().filter(session_id=session_id).order_by("joined_at", "id")
    if standing.can_moderate:
        return rows
    present = rows.filter(status=ParticipantStatus.ACTIVE)
    return present if actor.user_id is not None else present.filter(role__in=ON_STAGE)


def positions(session_ids: list[UUID]) -> dict[UUID, tuple[str, int]]:
    """Return epoch and last sequence number of rooms."""
    rows = StreamSession.objects.filter(pk__in=session_ids).values_list("pk", "epoch", "head_seq")
    return {pk: (epoch, head_seq) for pk, epoch, head_seq in rows}


def session_event_documents(session_id: UUID, after: int, up_to: int) -> list[dict[str, Any]]:
    """Return durable events other than chat, as sent by the socket."""
    rows = SessionEvent.objects.filter(session_id=session_id, seq__gt=after, seq__lte=up_to).order_by("seq")
    return [{"type": row.type, "seq": row.seq, "ts": instant(row.created_at), "data": row.data} for row in rows]


def merged_events(session_id: UUID, after: int, up_to: int, *, sources: Sequence[EventSource]) -> list[dict[str, Any]]:
    """Return the durable events of a range of a room's sequence from all sources, in order."""
    documents = [document for source in sources for document in source(session_id, after, up_to)]
    return sorted(documents, key=lambda document: document["seq"])
