"""Asking somebody to come on stage, and their answer."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Denied
from streams.models import GuestRequest, GuestRequestStatus, Participant, ParticipantStatus, Role
from streams.permissions import Standing, require_moderate, require_view, standing_of
from streams.selectors import session_get
from streams.services.guest_requests import person_here, request_grant, request_store
from streams.services.queue import request_lock, request_pending, request_resolve, request_tell, require_pending
from streams.services.seats import deed_audit, person_lock, require_open_stage, stage_lock
from streams.services.stage_media import person_media_tell
from streams.stage_permissions import require_act_on


def guest_invite(*, session_id: UUID, actor: Actor, user_id: UUID) -> tuple[GuestRequest, bool]:
    """Ask somebody who is in the show to come on stage; the invitation, and whether it is a new one.

    The host also lets back in, in this way, somebody who was removed.
    """
    standing = require_moderate(actor=actor, session=session_get(session_id))
    actor_id = require_signed_in(actor)
    now = timezone.now()
    with transaction.atomic():
        session = stage_lock(session_id)
        require_open_stage(session)
        person = person_lock(session_id, user_id)
        whom = standing_of(actor=Actor(user_id=user_id), session_id=session_id)
        require_act_on(actor=actor, standing=standing, target_id=user_id, target=whom)
        _require_invitable(person, actor=actor, standing=standing)
        pending = request_pending(session_id=session_id, user_id=user_id)
        if pending is not None and pending.expires_at > now:
            return _standing_invitation(pending), False
        if pending is not None:
            request_resolve(pending, status=GuestRequestStatus.EXPIRED, responder_id=None, now=now)
        if person.status == ParticipantStatus.KICKED:
            readmit(person, now=now)
        request = request_store(session_id=session_id, user_id=user_id, invited_by=actor_id, now=now)
        request_tell(request, now=now)
        deed_audit(session_id=session_id, actor_id=actor_id, action="invite", target_id=user_id, now=now)
    return request, True


def _require_invitable(person: Participant, *, actor: Actor, standing: Standing) -> None:
    if person.status == ParticipantStatus.BANNED:
        raise Denied("stage.not_allowed", "That person is banned from this show.")
    if person.status == ParticipantStatus.KICKED and not (standing.is_host or actor.is_staff):
        raise Denied("stage.not_allowed", "Only the host can let somebody back in.")
    if person.status == ParticipantStatus.LEFT:
        raise Conflict("stage.not_here", "That person is not in the room at the moment.")
    if person.role != Role.VIEWER:
        raise Conflict("stage.on_stage_already", "That person is on stage already.")


def _standing_invitation(pending: GuestRequest) -> GuestRequest:
    if pending.invited_by_id is None:
        raise Conflict("request.pending", "That person has asked already. Approve the request.")
    return pending


def readmit(person: Participant, *, now: datetime) -> None:
    """Somebody who was removed may come in again. A step without a transaction of its own."""
    person.status, person.left_at = ParticipantStatus.LEFT, now
    person.media_due_at = None
    person.save(update_fields=("status", "left_at", "media_due_at"))


def guest_accept(*, session_id: UUID, request_id: UUID, actor: Actor) -> GuestRequest:
    """Come on stage as one was asked to, if a seat is free. Accepting twice changes nothing."""
    user_id = require_signed_in(actor)
    require_view(actor=actor, session=session_get(session_id))
    now = timezone.now()
    with transaction.atomic():
        session = stage_lock(session_id)
        request = _own_invitation(session_id=session_id, request_id=request_id, user_id=user_id)
        if request.status == GuestRequestStatus.APPROVED:
            return request
        require_pending(request, now=now)
        require_open_stage(session)
        person = person_here(session=session, actor=actor)
        request_grant(session=session, request=request, person=person, by=user_id, now=now)
    person_media_tell(session_id=session_id, user_id=user_id)
    return request


def guest_decline(*, session_id: UUID, request_id: UUID, actor: Actor) -> GuestRequest:
    """Say no to an invitation. Declining twice changes nothing."""
    user_id = require_signed_in(actor)
    require_view(actor=actor, session=session_get(session_id))
    now = timezone.now()
    with transaction.atomic():
        request = _own_invitation(session_id=session_id, request_id=request_id, user_id=user_id)
        if request.status == GuestRequestStatus.REJECTED:
            return request
        require_pending(request, now=now)
        request_resolve(request, status=GuestRequestStatus.REJECTED, responder_id=user_id, now=now)
    return request


def _own_invitation(*, session_id: UUID, request_id: UUID, user_id: UUID) -> GuestRequest:
    request = request_lock(session_id=session_id, request_id=request_id)
    if request.user_id != user_id or request.invited_by_id is None:
        raise Denied("stage.not_allowed", "Only who was invited answers an invitation.")
    return request
