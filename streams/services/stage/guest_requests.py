"""Guest requests, and the host's answers."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Denied, Missing, TooMany
from livestream.ratelimit import require_allowed
from livestream.text import cleaned
from streams.models import GuestRequest, GuestRequestStatus, Participant, ParticipantStatus, Role
from streams.permissions import require_view
from streams.selectors import cooldown_of, guest_requests, session_get
from streams.services.people.viewers import viewer_enter
from streams.services.provider.participant_sync import participant_sync_deliver
from streams.services.stage.guest_queue import (
    request_lock,
    request_notify,
    request_pending,
    request_resolve,
    require_pending,
)
from streams.services.stage.seats import (
    person_lock,
    require_live,
    require_open_stage,
    seat_take,
)
from streams.services.stage.stage_transaction import Acting, room_transaction, studio_transaction

ASKED_PER_MINUTE = 10

logger = logging.getLogger(__name__)


def guest_request_make(*, session_id: UUID, actor: Actor, message: str = "") -> tuple[GuestRequest, bool]:
    """Make a guest request. Return it and whether it is new. A pending one keeps its place in the queue.

    If the show needs no approval, the person is on stage at once and the request is approved.
    """
    user_id = require_signed_in(actor)
    require_allowed(scope="guest-request", key=f"{session_id}:{user_id}", limit=ASKED_PER_MINUTE, seconds=60)
    message = cleaned(message)
    with room_transaction(session_id=session_id, actor=actor) as acting:
        require_open_stage(acting.session)
        person = person_here(acting)
        if person.role != Role.VIEWER:
            raise Conflict("stage.on_stage_already", "You're already on stage.")
        pending = request_pending(session_id=session_id, user_id=user_id)
        if pending is not None and pending.expires_at > acting.now:
            return pending, False
        if pending is not None:
            request_resolve(pending, status=GuestRequestStatus.EXPIRED, responder_id=None, now=acting.now)
        _require_cool(session_id=session_id, user_id=user_id, now=acting.now)
        request = request_store(session_id=session_id, user_id=user_id, message=message, now=acting.now)
        if acting.session.settings.require_approval:
            request_notify(request, now=acting.now)
        else:
            request_grant(request, person, acting)
    participant_sync_deliver(session_id=session_id, user_ids=[user_id])
    return request, True


def person_here(acting: Acting) -> Participant:
    """Return the actor's own locked row, created on first entry."""
    user_id = require_signed_in(acting.actor)
    if acting.standing.status != ParticipantStatus.ACTIVE:
        viewer_enter(session_id=acting.session.pk, user_id=user_id, standing=acting.standing)
    return person_lock(acting.session.pk, user_id)


def _require_cool(*, session_id: UUID, user_id: UUID, now: datetime) -> None:
    last = guest_requests().filter(session_id=session_id, user_id=user_id).order_by("-created_at").first()
    wait = cooldown_of(last, now=now) if last is not None else None
    if wait is not None:
        raise TooMany("request.cooldown", "The host declined for now. Ask again later.", retry_after=wait)


def request_store(
    *, session_id: UUID, user_id: UUID, now: datetime, message: str = "", invited_by: UUID | None = None
) -> GuestRequest:
    """Store a new request and load the rows that its payload needs."""
    made = GuestRequest.objects.create(
        session_id=session_id,
        user_id=user_id,
        message=message,
        invited_by_id=invited_by,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.GUEST_REQUEST_SECONDS),
    )
    return guest_requests().get(pk=made.pk)


def request_grant(request: GuestRequest, person: Participant, acting: Acting) -> None:
    """Bring the person on stage and close the request."""
    by = acting.actor.user_id
    seat_take(session=acting.session, person=person, now=acting.now)
    request_resolve(request, status=GuestRequestStatus.APPROVED, responder_id=by, now=acting.now)
    acting.notify(person.user_id, "joined")
    logger.info("came on stage session=%s user=%s by=%s", acting.session.pk, person.user_id, by)


def guest_request_cancel(*, session_id: UUID, request_id: UUID, actor: Actor) -> GuestRequest:
    """Cancel one's own request or, as a moderator, an invitation. Cancelling twice changes nothing."""
    user_id = require_signed_in(actor)
    with room_transaction(session_id=session_id, actor=actor) as acting:
        request = request_lock(session_id=session_id, request_id=request_id)
        own = request.user_id == user_id and request.invited_by_id is None
        if not own and not (request.invited_by_id is not None and acting.standing.can_moderate):
            raise Denied("stage.not_allowed", "You can only cancel your own request.")
        if request.status == GuestRequestStatus.CANCELLED:
            return request
        require_pending(request, now=acting.now)
        by = None if own else user_id
        request_resolve(request, status=GuestRequestStatus.CANCELLED, responder_id=by, now=acting.now)
    return request


def own_request_cancel(*, session_id: UUID, actor: Actor) -> GuestRequest:
    """Cancel the actor's latest request, without its id."""
    user_id = require_signed_in(actor)
    require_view(actor=actor, session=session_get(session_id))
    own = GuestRequest.objects.filter(session_id=session_id, user_id=user_id, invited_by=None)
    last = own.order_by("-created_at").values_list("pk", flat=True).first()
    if last is None:
        raise Missing("request.missing", "You have no open request.")
    return guest_request_cancel(session_id=session_id, request_id=last, actor=actor)


def guest_request_approve(*, session_id: UUID, request_id: UUID, actor: Actor) -> GuestRequest:
    """Bring the requester on stage if a seat is free. Approving twice changes nothing."""
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        require_live(acting.session)
        request = _answerable(request_id, acting)
        if request.status == GuestRequestStatus.APPROVED:
            return request
        require_pending(request, now=acting.now)
        require_open_stage(acting.session)
        request_grant(request, person_lock(session_id, request.user_id), acting)
        acting.audit("approve", request.user_id)
    participant_sync_deliver(session_id=session_id, user_ids=[request.user_id])
    return request


def guest_request_reject(*, session_id: UUID, request_id: UUID, actor: Actor, reason: str = "") -> GuestRequest:
    """Reject a request; the person may ask again after a cooldown. Rejecting twice changes nothing."""
    reason = cleaned(reason)
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        request = _answerable(request_id, acting)
        if request.status == GuestRequestStatus.REJECTED:
            return request
        require_pending(request, now=acting.now)
        answer = GuestRequestStatus.REJECTED
        request_resolve(request, status=answer, responder_id=actor.user_id, reason=reason, now=acting.now)
        acting.audit("reject", request.user_id, reason=reason)
    return request


def _answerable(request_id: UUID, acting: Acting) -> GuestRequest:
    """Return the locked request if the actor may answer it: not an invitation, and not their own."""
    request = request_lock(session_id=acting.session.pk, request_id=request_id)
    if request.invited_by_id is not None:
        raise Denied("stage.not_allowed", "That is an invitation. Only the person invited can answer it.")
    acting.require_act_on(request.user_id)
    return request
