"""Invitations to come on stage, and the answers to them."""

from datetime import datetime
from uuid import UUID

from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Denied
from streams.models import GuestRequest, GuestRequestStatus, Participant, ParticipantStatus, Role
from streams.services.provider.participant_sync import participant_sync_deliver
from streams.services.provider.uids import uid_retire
from streams.services.stage.guest_queue import (
    request_lock,
    request_notify,
    request_pending,
    request_resolve,
    require_pending,
)
from streams.services.stage.guest_requests import person_here, request_grant, request_store
from streams.services.stage.seats import require_open_stage
from streams.services.stage.stage_transaction import Acting, room_transaction, studio_transaction


def guest_invite(*, session_id: UUID, actor: Actor, user_id: UUID) -> tuple[GuestRequest, bool]:
    """Invite a participant on stage. Return the invitation and whether it is new.

    The host can also invite a removed participant, who may then enter again.
    """
    actor_id = require_signed_in(actor)
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        require_open_stage(acting.session)
        person = acting.target(user_id)
        _require_invitable(person, acting)
        pending = request_pending(session_id=session_id, user_id=user_id)
        if pending is not None and pending.expires_at > acting.now:
            return _standing_invitation(pending), False
        if pending is not None:
            request_resolve(pending, status=GuestRequestStatus.EXPIRED, responder_id=None, now=acting.now)
        if person.status == ParticipantStatus.KICKED:
            readmit(person, now=acting.now)
        request = request_store(session_id=session_id, user_id=user_id, invited_by=actor_id, now=acting.now)
        request_notify(request, now=acting.now)
        acting.audit("invite", user_id)
    return request, True


def _require_invitable(person: Participant, acting: Acting) -> None:
    if person.status == ParticipantStatus.BANNED:
        raise Denied("stage.not_allowed", "That person is banned from this show.")
    if person.status == ParticipantStatus.KICKED and not (acting.standing.is_host or acting.actor.is_staff):
        raise Denied("stage.not_allowed", "Only the host can let someone back in.")
    if person.status == ParticipantStatus.LEFT:
        raise Conflict("stage.not_here", "That person isn't in the room right now.")
    if person.role != Role.VIEWER:
        raise Conflict("stage.on_stage_already", "That person is already on stage.")


def _standing_invitation(pending: GuestRequest) -> GuestRequest:
    if pending.invited_by_id is None:
        raise Conflict("request.pending", "That person has already asked to join. Approve their request.")
    return pending


def readmit(person: Participant, *, now: datetime) -> None:
    """Readmit a removed participant under a new uid, because the provider may still block the old one. A step
    without a transaction of its own."""
    person.status, person.left_at = ParticipantStatus.LEFT, now
    person.save(update_fields=("status", "left_at"))
    uid_retire(session_id=person.session_id, user_id=person.user_id, now=now)


def guest_accept(*, session_id: UUID, request_id: UUID, actor: Actor) -> GuestRequest:
    """Accept an invitation if a seat is free. Accepting twice changes nothing."""
    user_id = require_signed_in(actor)
    with room_transaction(session_id=session_id, actor=actor) as acting:
        request = _own_invitation(session_id=session_id, request_id=request_id, user_id=user_id)
        if request.status == GuestRequestStatus.APPROVED:
            return request
        require_pending(request, now=acting.now)
        require_open_stage(acting.session)
        request_grant(request, person_here(acting), acting)
    participant_sync_deliver(session_id=session_id, user_ids=[user_id])
    return request


def guest_decline(*, session_id: UUID, request_id: UUID, actor: Actor) -> GuestRequest:
    """Decline an invitation. Declining twice changes nothing."""
    user_id = require_signed_in(actor)
    with room_transaction(session_id=session_id, actor=actor) as acting:
        request = _own_invitation(session_id=session_id, request_id=request_id, user_id=user_id)
        if request.status == GuestRequestStatus.REJECTED:
            return request
        require_pending(request, now=acting.now)
        request_resolve(request, status=GuestRequestStatus.REJECTED, responder_id=user_id, now=acting.now)
    return request


def _own_invitation(*, session_id: UUID, request_id: UUID, user_id: UUID) -> GuestRequest:
    request = request_lock(session_id=session_id, request_id=request_id)
    if request.user_id != user_id or request.invited_by_id is None:
        raise Denied("stage.not_allowed", "Only the person invited can answer an invitation.")
    return request
