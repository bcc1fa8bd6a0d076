"""People come into a session and leave it."""

from dataclasses import replace
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Invalid
from streams.models import AuditEntry, Participant, ParticipantStatus, Role, SessionSettings
from streams.permissions import Standing, require_host, require_view
from streams.selectors import session_get
from streams.state import OVER


def viewer_join(*, session_id: UUID, actor: Actor) -> Participant:
    """Come in as a viewer, or come back as what one was. Joining twice changes nothing.

    `max_participants` is exact: joins of one session wait for each other.
    """
    user_id = require_signed_in(actor)
    session = session_get(session_id)
    standing = require_view(actor=actor, session=session)
    if session.state in OVER:
        raise Conflict("session.ended", "This show is over.")
    if standing.status != ParticipantStatus.ACTIVE:
        viewer_enter(session_id=session_id, user_id=user_id, standing=standing)
    return Participant.objects.select_related("user").get(session_id=session_id, user_id=user_id)


def viewer_enter(*, session_id: UUID, user_id: UUID, standing: Standing) -> Standing:
    """Take a place for somebody whose standing allows it and who has none; their standing then."""
    now = timezone.now()
    mine = Participant.objects.filter(session_id=session_id, user_id=user_id)
    with transaction.atomic():
        limits = SessionSettings.objects.select_for_update().get(pk=session_id)
        here = Participant.objects.filter(session_id=session_id, status=ParticipantStatus.ACTIVE).count()
        if here >= limits.max_participants and not standing.can_moderate:
            raise Conflict("session.full", "This show is full.", retry_after=30)
        back = mine.exclude(status=ParticipantStatus.BANNED).update(
            status=ParticipantStatus.ACTIVE, joined_at=now, left_at=None
        )
        if not back:
            # Waiting for the settings' row above, a twin of this request may have been here first.
            mine.get_or_create(session_id=session_id, user_id=user_id, defaults={"role": Role.VIEWER, "joined_at": now})
    return replace(standing, role=standing.role or Role.VIEWER, status=ParticipantStatus.ACTIVE)


def viewers_left(session_id: UUID, user_ids: list[UUID]) -> None:
    """People whose last socket is gone have left; who is on stage keeps the place."""
    Participant.objects.filter(
        session_id=session_id, user_id__in=user_ids, role=Role.VIEWER, status=ParticipantStatus.ACTIVE
    ).update(status=ParticipantStatus.LEFT, left_at=timezone.now())


def viewer_invite(*, session_id: UUID, actor: Actor, username: str) -> Participant:
    """Let somebody into a private session; they may come and go from then on. Inviting twice changes nothing."""
    session = session_get(session_id)
    require_host(actor=actor, session=session)
    if session.state in OVER:
        raise Conflict("session.ended", "This show is over.")
    user = get_user_model().objects.filter(username__iexact=username, is_active=True).first()
    if user is None:
        raise Invalid(
            "participant.unknown", "There is nobody of that name.", fields={"username": ["Nobody has this name."]}
        )
    now = timezone.now()
    participant, made = Participant.objects.get_or_create(
        session_id=session_id,
        user_id=user.pk,
        defaults={
            "role": Role.VIEWER,
            "status": ParticipantStatus.LEFT,
            "joined_at": now,
            "left_at": now,
            "invited": True,
        },
    )
    if made or not participant.invited:
        Participant.objects.filter(pk=participant.pk).update(invited=True)
        AuditEntry.objects.create(
            session_id=session_id,
            actor_id=actor.user_id,
            action="participant.invite",
            target_user_id=user.pk,
            created_at=now,
        )
    return Participant.objects.select_related("user").get(pk=participant.pk)


def viewer_leave(*, session_id: UUID, actor: Actor) -> None:
    """Leave. Leaving where one is not changes nothing; the host's place is kept."""
    user_id = require_signed_in(actor)
    require_view(actor=actor, session=session_get(session_id))
    Participant.objects.filter(session_id=session_id, user_id=user_id, status=ParticipantStatus.ACTIVE).exclude(
        role=Role.HOST
    ).update(status=ParticipantStatus.LEFT, left_at=timezone.now())
