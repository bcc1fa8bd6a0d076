"""The queue of guest requests: store, notify, close. Steps without a transaction of their own."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from livestream.errors import Conflict, Missing
from livestream.events import publish, publish_latest
from livestream.realtime.groups import person_group, studio_group
from streams.events import GuestInvited, GuestRequested, GuestResolved, QueueMoved, StageInvited
from streams.models import GuestRequest, GuestRequestStatus
from streams.payloads import request_payload
from streams.selectors import cooldown_of, guest_requests, queue_position, queue_rows


def request_lock(*, session_id: UUID, request_id: UUID) -> GuestRequest:
    """Lock and return a guest request or invitation. Raises Missing."""
    rows = guest_requests().select_for_update(of=("self",))
    row = rows.filter(pk=request_id, session_id=session_id).first()
    if row is None:
        raise Missing("request.missing", "That request no longer exists.")
    return row


def request_pending(*, session_id: UUID, user_id: UUID) -> GuestRequest | None:
    """Lock and return the person's pending guest request or invitation, or None."""
    rows = guest_requests().select_for_update(of=("self",))
    return rows.filter(session_id=session_id, user_id=user_id, status=GuestRequestStatus.PENDING).first()


def require_pending(request: GuestRequest, *, now: datetime) -> None:
    """Require that the request is pending. Raises Conflict."""
    pending = request.status == GuestRequestStatus.PENDING
    if request.status == GuestRequestStatus.EXPIRED or (pending and request.expires_at <= now):
        raise Conflict("request.expired", "That request has expired. Ask again.")
    if not pending:
        raise Conflict("request.answered", "That request has already been answered.")


def request_notify(request: GuestRequest, *, now: datetime) -> None:
    """Notify the studio of a new request or invitation, and the person invited."""
    if request.invited_by_id is None:
        data = {"request": request_payload(request, position=queue_position(request))}
        requested = GuestRequested(session_id=request.session_id, at=now, data=data)
        publish(requested, group=studio_group(request.session_id))
    else:
        data = {"request": request_payload(request)}
        invitation = GuestInvited(session_id=request.session_id, at=now, data=data)
        publish(invitation, group=person_group(request.session_id, request.user_id))
        publish(StageInvited(session_id=request.session_id, at=now, data=data), group=studio_group(request.session_id))


def request_resolve(
    request: GuestRequest,
    *,
    status: GuestRequestStatus,
    responder_id: UUID | None,
    now: datetime,
    reason: str = "",
) -> None:
    """Close a request and notify the studio, the requester, and everyone who moves up the queue."""
    requests_resolve([request], status=status, responder_id=responder_id, now=now, reason=reason)


def requests_resolve(
    requests: Sequence[GuestRequest],
    *,
    status: GuestRequestStatus,
    responder_id: UUID | None,
    now: datetime,
    reason: str = "",
) -> None:
    """Close several requests of one session. Those still waiting are notified of their new places once."""
    for request in requests:
        _close(request, status=status, responder_id=responder_id, now=now, reason=reason)
    asked = [request for request in requests if request.invited_by_id is None]
    if asked:
        _positions_notify(asked[0].session_id, after=min(request.created_at for request in asked), now=now)


def _positions_notify(session_id: UUID, *, after: datetime, now: datetime) -> None:
    """Notify everyone behind a closed request of their new place: one query, one message."""
    waiting = queue_rows(session_id).values_list("pk", "user_id", "created_at")
    publish_latest(
        {
            person_group(session_id, user_id): QueueMoved(
                session_id=session_id, at=now, data={"request": str(pk), "position": position}
            )
            for position, (pk, user_id, created_at) in enumerate(waiting, start=1)
            if created_at >= after
        }
    )


def _close(
    request: GuestRequest, *, status: GuestRequestStatus, responder_id: UUID | None, now: datetime, reason: str
) -> None:
    request.status, request.reason, request.answered_at = status, reason, now
    request.responder_id = responder_id
    request.save(update_fields=("status", "reason", "answered_at", "responder"))
    data = {"request": request_payload(request, retry_after=cooldown_of(request, now=now))}
    event = GuestResolved(session_id=request.session_id, at=now, data=data)
    publish(event, group=studio_group(request.session_id))
    publish(event, group=person_group(request.session_id, request.user_id))


def requests_withdraw(*, session_id: UUID, user_ids: Iterable[UUID], now: datetime) -> None:
    """Cancel the pending requests of people who leave."""
    rows = guest_requests().select_for_update(of=("self",))
    waiting = rows.filter(session_id=session_id, user_id__in=list(user_ids), status=GuestRequestStatus.PENDING)
    requests_resolve(list(waiting), status=GuestRequestStatus.CANCELLED, responder_id=None, now=now)


def requests_close(*, session_id: UUID, now: datetime) -> None:
    """Expire all requests of an ended show. The room is notified only of the end."""
    GuestRequest.objects.filter(session_id=session_id, status=GuestRequestStatus.PENDING).update(
        status=GuestRequestStatus.EXPIRED, answered_at=now
    )
