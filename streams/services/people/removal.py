"""Removal, ban and readmission of participants. A removal revokes all credentials for the show."""

import logging
from uuid import UUID

from django.contrib.auth import get_user_model

from livestream.actors import Actor
from livestream.errors import Denied
from livestream.events import close_person
from livestream.realtime.protocol import CloseCode
from livestream.text import cleaned
from streams.models import GuestRequestStatus, Participant, ParticipantStatus
from streams.permissions import OUT, standing_of
from streams.services.people.moderators import moderator_forget
from streams.services.people.revocation import Lost, credentials_revoke
from streams.services.provider.participant_sync import participant_sync_deliver, participant_sync_put
from streams.services.provider.uids import uid_retire
from streams.services.stage.guest_queue import request_pending, request_resolve
from streams.services.stage.seats import is_seated, person_lock, seat_leave
from streams.services.stage.stage_transaction import Acting, studio_transaction
from streams.stage_permissions import require_remove

logger = logging.getLogger(__name__)


def participant_kick(*, session_id: UUID, actor: Actor, user_id: UUID, reason: str = "") -> Participant:
    """Remove a participant until the host lets them back in. No effect if already removed."""
    return _remove(ParticipantStatus.KICKED, session_id=session_id, actor=actor, user_id=user_id, reason=reason)


def participant_ban(*, session_id: UUID, actor: Actor, user_id: UUID, reason: str = "") -> Participant:
    """Ban a participant from this show. Banning twice changes nothing."""
    return _remove(ParticipantStatus.BANNED, session_id=session_id, actor=actor, user_id=user_id, reason=reason)


def participant_readmit(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Undo a removal or ban (staff only). Role and seat are not restored. No effect on others."""
    if not actor.is_staff:
        raise Denied()
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        person = person_lock(session_id, user_id)
        if person.status in OUT:
            person.status = ParticipantStatus.LEFT
            person.save(update_fields=("status",))
            uid_retire(session_id=session_id, user_id=user_id, now=acting.now)
            acting.audit("readmit", user_id)
    return person


def _remove(status: ParticipantStatus, *, session_id: UUID, actor: Actor, user_id: UUID, reason: str) -> Participant:
    reason = cleaned(reason)
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        person = person_lock(session_id, user_id)
        _require_remove(person, acting)
        if person.status in (status, ParticipantStatus.BANNED):
            return person
        was_seated = is_seated(person)
        if was_seated:
            seat_leave(person=person, now=acting.now)
        person.status, person.left_at = status, acting.now
        person.save(update_fields=("status", "left_at"))
        participant_sync_put(person=person, now=acting.now)
        moderator_forget(person)
        pending = request_pending(session_id=session_id, user_id=user_id)
        if pending is not None:
            answer = GuestRequestStatus.REJECTED
            request_resolve(pending, status=answer, responder_id=actor.user_id, reason=reason, now=acting.now)
        credentials_revoke(session_id=session_id, user_id=user_id, lost=Lost.EVERYTHING, now=acting.now)
        acting.audit("ban" if status == ParticipantStatus.BANNED else "kick", user_id, reason=reason)
        if was_seated:
            acting.notify(user_id, "kicked")
        close_person(
            session_id=session_id, user_id=user_id, code=CloseCode.NOT_ALLOWED, reason=f"session.{status.value}"
        )
    participant_sync_deliver(session_id=session_id, user_ids=[user_id])
    logger.info("participant removed session=%s user=%s as=%s by=%s", session_id, user_id, status, actor.user_id)
    return person


def _require_remove(person: Participant, acting: Acting) -> None:
    require_remove(
        actor=acting.actor,
        standing=acting.standing,
        target_id=person.user_id,
        target=standing_of(actor=Actor(user_id=person.user_id), session_id=acting.session.pk),
        target_is_staff=get_user_model().objects.filter(pk=person.user_id, is_staff=True).exists(),
    )
