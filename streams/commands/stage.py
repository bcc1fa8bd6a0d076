"""Commands of the room socket for the stage."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.utils import timezone

from livestream.realtime.consumer import CommandHandler
from streams.api.stage_serializers import (
    Ask,
    Flags,
    Muting,
    RequestRef,
    RequestRefusal,
    Target,
    TargetMuting,
    TargetRefusal,
    TargetUnmuting,
)
from streams.models import GuestRequest, Participant
from streams.payloads import participant_payload
from streams.room_snapshot import RoomContext
from streams.selectors import request_now
from streams.services.people import moderators, removal
from streams.services.stage import guest_requests, invitations, participation


def _request(request: GuestRequest) -> dict[str, Any]:
    return {"request": request_now(request, now=timezone.now())}


def _participant(person: Participant) -> dict[str, Any]:
    return {"participant": participant_payload(person)}


def do_request(context: RoomContext, *, message: str = "") -> dict[str, Any]:
    """Request to come on stage."""
    request, _ = guest_requests.guest_request_make(session_id=context.session_id, actor=context.actor, message=message)
    return _request(request)


def do_cancel(context: RoomContext) -> dict[str, Any]:
    """Cancel the caller's own guest request."""
    return _request(guest_requests.own_request_cancel(session_id=context.session_id, actor=context.actor))


def do_approve(context: RoomContext, *, request: UUID) -> dict[str, Any]:
    """Approve a guest request."""
    return _request(
        guest_requests.guest_request_approve(session_id=context.session_id, request_id=request, actor=context.actor)
    )


def do_reject(context: RoomContext, *, request: UUID, reason: str = "") -> dict[str, Any]:
    """Decline a guest request."""
    return _request(
        guest_requests.guest_request_reject(
            session_id=context.session_id, request_id=request, actor=context.actor, reason=reason
        )
    )


def do_invite(context: RoomContext, *, user: UUID) -> dict[str, Any]:
    """Invite a participant on stage."""
    request, _ = invitations.guest_invite(session_id=context.session_id, actor=context.actor, user_id=user)
    return _request(request)


def do_accept(context: RoomContext, *, request: UUID) -> dict[str, Any]:
    """Accept an invitation."""
    return _request(invitations.guest_accept(session_id=context.session_id, request_id=request, actor=context.actor))


def do_decline(context: RoomContext, *, request: UUID) -> dict[str, Any]:
    """Decline an invitation."""
    return _request(invitations.guest_decline(session_id=context.session_id, request_id=request, actor=context.actor))


def do_mute(context: RoomContext, *, user: UUID, kind: str, muted: bool = True) -> dict[str, Any]:
    """Mute a participant's microphone, camera or screen; with `muted` false as `participation.stage_unmute`."""
    change = participation.stage_mute if muted else participation.stage_unmute
    return _participant(change(session_id=context.session_id, actor=context.actor, user_id=user, kind=kind))


def do_unmute(context: RoomContext, *, user: UUID, kind: str) -> dict[str, Any]:
    """Unmute one's own, or ask the participant to."""
    return do_mute(context, user=user, kind=kind, muted=False)


def do_mute_all(context: RoomContext, *, kind: str) -> dict[str, Any]:
    """Mute everyone except the host and the caller."""
    muted = participation.stage_mute_all(session_id=context.session_id, actor=context.actor, kind=kind)
    return {"participants": [participant_payload(person) for person in muted]}


def do_leave(context: RoomContext) -> dict[str, Any]:
    """Leave the stage."""
    return _participant(participation.stage_leave(session_id=context.session_id, actor=context.actor))


def do_media(context: RoomContext, **flags: bool) -> dict[str, Any]:
    """Set the caller's own media flags."""
    return _participant(participation.stage_media_set(session_id=context.session_id, actor=context.actor, **flags))


def _on(change: Callable[..., Participant]) -> Callable[..., dict[str, Any]]:
    """Return a handler for one action on one participant."""

    def do(context: RoomContext, *, user: UUID, **data: Any) -> dict[str, Any]:
        return _participant(change(session_id=context.session_id, actor=context.actor, user_id=user, **data))

    return do


COMMANDS: dict[str, CommandHandler[RoomContext]] = {
    "guest.request": CommandHandler(do_request, Ask),
    "guest.cancel": CommandHandler(do_cancel),
    "guest.approve": CommandHandler(do_approve, RequestRef),
    "guest.reject": CommandHandler(do_reject, RequestRefusal),
    "guest.invite": CommandHandler(do_invite, Target),
    "guest.accept": CommandHandler(do_accept, RequestRef),
    "guest.decline": CommandHandler(do_decline, RequestRef),
    "stage.mute": CommandHandler(do_mute, TargetMuting),
    "stage.unmute": CommandHandler(do_unmute, TargetUnmuting),
    "stage.mute_all": CommandHandler(do_mute_all, Muting),
    "stage.stop_screen": CommandHandler(_on(participation.stage_stop_screen), Target),
    "stage.remove": CommandHandler(_on(participation.stage_unseat), Target),
    "stage.promote": CommandHandler(_on(participation.stage_promote), Target),
    "stage.demote": CommandHandler(_on(participation.stage_demote), Target),
    "stage.appoint": CommandHandler(_on(moderators.moderator_appoint), Target),
    "stage.dismiss": CommandHandler(_on(moderators.moderator_dismiss), Target),
    "stage.kick": CommandHandler(_on(removal.participant_kick), TargetRefusal),
    "stage.ban": CommandHandler(_on(removal.participant_ban), TargetRefusal),
    "stage.leave": CommandHandler(do_leave),
    "stage.media": CommandHandler(do_media, Flags),
}
