"""People come into a session and leave it."""

from dataclasses import replace
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Denied, Invalid
from streams.models import AuditEntry, Participant, ParticipantStatus, Role, SessionSettings
from streams.permissions import OUT, Standing, require_host, require_view
from streams.selectors import session_get
from streams.services.queue import requests_withdraw
from streams.services.seats import (
    is_seated,
    person_lock,
    seat_leave,
    session_lock_if_open,
    stage_lock,
    stage_tell,
)
from streams.services.stage_media import person_media_tell
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
        back = mine.filter(status=ParticipantStatus.LEFT).update(
            status=ParticipantStatus.ACTIVE, joined_at=now, left_at=None
        )
        if not back:
            # Waiting for the settings' row above, a twin of this request may have been here first.
            row, _ = mine.get_or_create(
                session_id=session_id, user_id=user_id, defaults={"role": Role.VIEWER, "joined_at": now}
            )
            _require_not_out(row, standing)
    return replace(standing, role=standing.role or Role.VIEWER, status=ParticipantStatus.ACTIVE)


def _require_not_out(row: Participant, standing: Standing) -> None:
    """Nobody was put out between the look at their standing and the taking of a place. Staff stay where they are."""
    if row.status in OUT and row.status != standing.status:
        raise Denied(f"session.{row.status}", "You were removed from this show.")


def viewers_left(session_id: UUID, user_ids: list[UUID]) -> None:
    """People whose last socket is gone have left, and ask for nothing any more; who is on stage keeps the place."""
    now = timezone.now()
    with transaction.atomic():
        # As everywhere: the session first, then its people and requests, or two would wait for each other crosswise.
        if not session_lock_if_open(session_id):
            return
        gone = Participant.objects.filter(
            session_id=session_id, user_id__in=user_ids, role=Role.VIEWER, status=ParticipantStatus.ACTIVE
        )
        gone.update(status=ParticipantStatus.LEFT, left_at=now)
        requests_withdraw(session_id=session_id, user_ids=user_ids, now=now)


def viewer_invite(*, session_id: UUID, actor: Actor, username: str) -> Participant:
    """Let somebody into a private session; they may come and go from then on, also who was
    removed before. Inviting twice changes nothing."""
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
    kicked = participant.status == ParticipantStatus.KICKED
    if kicked:
        Participant.objects.filter(pk=participant.pk, status=ParticipantStatus.KICKED).update(
            status=ParticipantStatus.LEFT, media_due_at=None
        )
    if made or kicked or not participant.invited:
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
    """Leave the show, and the stage with it. Leaving where one is not changes nothing; the host's place is kept."""
    user_id = require_signed_in(actor)
    session = session_get(session_id)
    standing = require_view(actor=actor, session=session)
    if session.state in OVER or standing.role is None:
        return
    now = timezone.now()
    with transaction.atomic():
        stage_lock(session_id)
        person = person_lock(session_id, user_id)
        if person.role == Role.HOST or person.status != ParticipantStatus.ACTIVE:
            return
        if was_seated := is_seated(person):
            seat_leave(person=person, now=now)
        person.status, person.left_at = ParticipantStatus.LEFT, now
        person.save(update_fields=("status", "left_at"))
        requests_withdraw(session_id=session_id, user_ids=[user_id], now=now)
        if was_seated:
            stage_tell(session_id=session_id, user_id=user_id, what="left", by=user_id, now=now)
    person_media_tell(session_id=session_id, user_id=user_id)
