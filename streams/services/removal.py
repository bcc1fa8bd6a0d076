"""Putting somebody out of a show: off the stage, out of the room, and with nothing left to come back with."""

import logging
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from livestream.actors import Actor
from livestream.events import close_person
from livestream.realtime.protocol import CloseCode
from livestream.text import cleaned
from streams.models import GuestRequestStatus, Participant, ParticipantStatus
from streams.permissions import require_moderate, standing_of
from streams.selectors import session_get
from streams.services.credentials import Lost, credentials_revoke
from streams.services.queue import request_pending, request_resolve
from streams.services.seats import deed_audit, is_seated, person_lock, seat_leave, stage_lock, stage_tell
from streams.services.stage_media import person_media_tell
from streams.stage_permissions import require_put_out

logger = logging.getLogger(__name__)


def participant_kick(*, session_id: UUID, actor: Actor, user_id: UUID, reason: str = "") -> Participant:
    """Remove somebody for this show, until the host lets them in again. Who is out already stays as they are."""
    return _put_out(ParticipantStatus.KICKED, session_id=session_id, actor=actor, user_id=user_id, reason=reason)


def participant_ban(*, session_id: UUID, actor: Actor, user_id: UUID, reason: str = "") -> Participant:
    """Remove somebody from this show for good. Banning twice changes nothing."""
    return _put_out(ParticipantStatus.BANNED, session_id=session_id, actor=actor, user_id=user_id, reason=reason)


def _put_out(status: ParticipantStatus, *, session_id: UUID, actor: Actor, user_id: UUID, reason: str) -> Participant:
    standing = require_moderate(actor=actor, session=session_get(session_id))
    reason = cleaned(reason)
    now = timezone.now()
    with transaction.atomic():
        stage_lock(session_id)
        person = person_lock(session_id, user_id)
        is_staff = get_user_model().objects.filter(pk=user_id, is_staff=True).exists()
        require_put_out(
            actor=actor,
            standing=standing,
            target_id=user_id,
            target=standing_of(actor=Actor(user_id=user_id), session_id=session_id),
            target_is_staff=is_staff,
        )
        if person.status in (status, ParticipantStatus.BANNED):
            return person
        was_seated = is_seated(person)
        if was_seated:
            seat_leave(person=person, now=now)
        person.status, person.left_at, person.media_due_at = status, now, now
        person.save(update_fields=("status", "left_at", "media_due_at"))
        pending = request_pending(session_id=session_id, user_id=user_id)
        if pending is not None:
            request_resolve(
                pending, status=GuestRequestStatus.REJECTED, responder_id=actor.user_id, reason=reason, now=now
            )
        credentials_revoke(session_id=session_id, user_id=user_id, lost=Lost.EVERYTHING, now=now)
        action = "ban" if status == ParticipantStatus.BANNED else "kick"
        deed_audit(
            session_id=session_id, actor_id=actor.user_id, action=action, target_id=user_id, now=now, reason=reason
        )
        if was_seated:
            stage_tell(session_id=session_id, user_id=user_id, what="kicked", by=actor.user_id, now=now)
        close_person(
            session_id=session_id, user_id=user_id, code=CloseCode.NOT_ALLOWED, reason=f"session.{status.value}"
        )
    person_media_tell(session_id=session_id, user_id=user_id)
    logger.info("put out of a show session=%s user=%s as=%s by=%s", session_id, user_id, status, actor.user_id)
    return person
