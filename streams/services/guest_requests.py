"""Asking to come on stage, and the host's answers."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Denied, Missing, TooMany
from livestream.ratelimit import require_allowed
from livestream.text import cleaned
from streams.models import GuestRequest, GuestRequestStatus, Participant, ParticipantStatus, Role, StreamSession
from streams.permissions import Standing, require_moderate, require_view, require_view_as, standing_of
from streams.selectors import cooldown_of, guest_requests, session_get
from streams.services.queue import (
    request_lock,
    request_pending,
    request_resolve,
    request_tell,
    require_pending,
)
from streams.services.seats import (
    deed_audit,
    person_lock,
    require_live,
    require_open_stage,
    seat_take,
    stage_lock,
    stage_tell,
)
from streams.services.stage_media import person_media_tell
from streams.services.viewers import viewer_enter
from streams.stage_permissions import require_act_on

ASKED_PER_MINUTE = 10

logger = logging.getLogger(__name__)


def guest_request_make(*, session_id: UUID, actor: Actor, message: str = "") -> tuple[GuestRequest, bool]:
    """Ask to come on stage; the request, and whether it is a new one. Who waits already keeps the place.

    Where the host wants no asking, the person is on stage at once and the request is an approved one.
    """
    user_id = require_signed_in(actor)
    require_view(actor=actor, session=session_get(session_id))
    key = f"{session_id}:{user_id}"
    require_allowed(scope="guest-request", key=key, limit=ASKED_PER_MINUTE, seconds=60)
    message = cleaned(message)
    now = timezone.now()
    with transaction.atomic():
        session = stage_lock(session_id)
        require_open_stage(session)
        person = person_here(session=session, actor=actor)
        if person.role != Role.VIEWER:
            raise Conflict("stage.on_stage_already", "You are on stage already.")
        pending = request_pending(session_id=session_id, user_id=user_id)
        if pending is not None and pending.expires_at > now:
            return pending, False
        if pending is not None:
            request_resolve(pending, status=GuestRequestStatus.EXPIRED, responder_id=None, now=now)
        _require_cool(session_id=session_id, user_id=user_id, now=now)
        request = request_store(session_id=session_id, user_id=user_id, message=message, now=now)
        if session.settings.require_approval:
            request_tell(request, now=now)
        else:
            request_grant(session=session, request=request, person=person, by=user_id, now=now)
    person_media_tell(session_id=session_id, user_id=user_id)
    return request, True


def person_here(*, session: StreamSession, actor: Actor) -> Participant:
    """The actor's own locked row; who is not in the show yet takes a place first."""
    user_id = require_signed_in(actor)
    standing = standing_of(actor=actor, session_id=session.pk)
    require_view_as(standing=standing, actor=actor, session=session)
    if standing.status != ParticipantStatus.ACTIVE:
        viewer_enter(session_id=session.pk, user_id=user_id, standing=standing)
    return person_lock(session.pk, user_id)


def _require_cool(*, session_id: UUID, user_id: UUID, now: datetime) -> None:
    last = guest_requests().filter(session_id=session_id, user_id=user_id).order_by("-created_at").first()
    wait = cooldown_of(last, now=now) if last is not None else None
    if wait is not None:
        raise TooMany("request.cooldown", "The host has said no for now. Ask again later.", retry_after=wait)


def request_store(
    *, session_id: UUID, user_id: UUID, now: datetime, message: str = "", invited_by: UUID | None = None
) -> GuestRequest:
    """A new request in the database, with what its payload needs."""
    made = GuestRequest.objects.create(
        session_id=session_id,
        user_id=user_id,
        message=message,
        invited_by_id=invited_by,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.GUEST_REQUEST_SECONDS),
    )
    return guest_requests().get(pk=made.pk)


def request_grant(
    *, session: StreamSession, request: GuestRequest, person: Participant, by: UUID, now: datetime
) -> None:
    """Bring the person on stage and close the request."""
    seat_take(session=session, person=person, now=now)
    request_resolve(request, status=GuestRequestStatus.APPROVED, responder_id=by, now=now)
    stage_tell(session_id=session.pk, user_id=person.user_id, what="joined", by=by, now=now)
    logger.info("came on stage session=%s user=%s by=%s", session.pk, person.user_id, by)


def guest_request_cancel(*, session_id: UUID, request_id: UUID, actor: Actor) -> GuestRequest:
    """Take back one's wish, or, at the desk, an invitation. Taking back twice changes nothing."""
    user_id = require_signed_in(actor)
    standing = require_view(actor=actor, session=session_get(session_id))
    now = timezone.now()
    with transaction.atomic():
        request = request_lock(session_id=session_id, request_id=request_id)
        own = request.user_id == user_id and request.invited_by_id is None
        if not own and not (request.invited_by_id is not None and standing.can_moderate):
            raise Denied("stage.not_allowed", "That is not yours to take back.")
        if request.status == GuestRequestStatus.CANCELLED:
            return request
        require_pending(request, now=now)
        request_resolve(request, status=GuestRequestStatus.CANCELLED, responder_id=None, now=now)
    return request


def own_request_cancel(*, session_id: UUID, actor: Actor) -> GuestRequest:
    """Take back one's latest wish, whatever its id."""
    user_id = require_signed_in(actor)
    require_view(actor=actor, session=session_get(session_id))
    own = GuestRequest.objects.filter(session_id=session_id, user_id=user_id, invited_by=None)
    last = own.order_by("-created_at").values_list("pk", flat=True).first()
    if last is None:
        raise Missing("request.missing", "You have not asked to come on stage.")
    return guest_request_cancel(session_id=session_id, request_id=last, actor=actor)


def guest_request_approve(*, session_id: UUID, request_id: UUID, actor: Actor) -> GuestRequest:
    """Bring who asked on stage, if a seat is free. Approving twice changes nothing."""
    standing = require_moderate(actor=actor, session=session_get(session_id))
    now = timezone.now()
    with transaction.atomic():
        session = stage_lock(session_id)
        require_live(session)
        request = _answerable(session=session, request_id=request_id, actor=actor, standing=standing)
        if request.status == GuestRequestStatus.APPROVED:
            return request
        require_pending(request, now=now)
        require_open_stage(session)
        person = person_lock(session_id, request.user_id)
        request_grant(session=session, request=request, person=person, by=require_signed_in(actor), now=now)
        deed_audit(session_id=session_id, actor_id=actor.user_id, action="approve", target_id=request.user_id, now=now)
    person_media_tell(session_id=session_id, user_id=request.user_id)
    return request


def guest_request_reject(*, session_id: UUID, request_id: UUID, actor: Actor, reason: str = "") -> GuestRequest:
    """Say no; the person may ask again after a while. Rejecting twice changes nothing."""
    standing = require_moderate(actor=actor, session=session_get(session_id))
    reason = cleaned(reason)
    now = timezone.now()
    with transaction.atomic():
        session = stage_lock(session_id)
        request = _answerable(session=session, request_id=request_id, actor=actor, standing=standing)
        if request.status == GuestRequestStatus.REJECTED:
            return request
        require_pending(request, now=now)
        request_resolve(request, status=GuestRequestStatus.REJECTED, responder_id=actor.user_id, reason=reason, now=now)
        deed_audit(
            session_id=session_id,
            actor_id=actor.user_id,
            action="reject",
            target_id=request.user_id,
            now=now,
            reason=reason,
        )
    return request


def _answerable(*, session: StreamSession, request_id: UUID, actor: Actor, standing: Standing) -> GuestRequest:
    """A wish that the desk may answer: not an invitation, and not one's own."""
    request = request_lock(session_id=session.pk, request_id=request_id)
    if request.invited_by_id is not None:
        raise Denied("stage.not_allowed", "That is an invitation; the person invited answers it.")
    whom = standing_of(actor=Actor(user_id=request.user_id), session_id=session.pk)
    require_act_on(actor=actor, standing=standing, target_id=request.user_id, target=whom)
    return request
