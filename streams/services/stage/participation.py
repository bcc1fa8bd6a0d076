"""Participants on stage: their own microphone, camera and screen, and the host's and moderators' actions on them."""

from enum import StrEnum
from uuid import UUID

from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Denied
from livestream.events import publish
from livestream.realtime.groups import person_group
from streams.events import UnmuteAsked
from streams.models import GuestRequestStatus, Participant, Role
from streams.permissions import Standing
from streams.selectors import people_on_stage
from streams.services.provider.participant_sync import participants_sync
from streams.services.stage.guest_queue import request_pending, request_resolve
from streams.services.stage.mute_state import flags_set_by_host, flags_set_by_oneself
from streams.services.stage.seats import (
    is_seated,
    person_lock,
    require_live,
    require_open_stage,
    require_seated,
    seat_leave,
    seat_rank,
    seat_take,
)
from streams.services.stage.stage_transaction import Acting, at_the_desk, in_the_room
from streams.stage_permissions import require_act_on, require_choose_cohosts


class Kind(StrEnum):
    """The kinds of media sent on stage."""

    AUDIO = "audio"
    VIDEO = "video"
    SCREEN = "screen"


def stage_leave(*, session_id: UUID, actor: Actor) -> Participant:
    """Return to the audience. The seat is free at once."""
    user_id = require_signed_in(actor)
    with in_the_room(session_id=session_id, actor=actor) as place:
        if place.standing.is_host:
            raise Denied("stage.not_allowed", "The host can't leave the stage. End or pause the show instead.")
        person = _own_row(session_id, user_id)
        seat_leave(person=person, now=place.now)
        place.tell(user_id, "left")
    participants_sync(session_id=session_id, user_ids=[user_id])
    return person


def _own_row(session_id: UUID, user_id: UUID) -> Participant:
    """Lock and return the actor's row. Raises Conflict if they are not on stage."""
    rows = {person.user_id: person for person in people_on_stage(session_id)}
    if user_id not in rows:
        raise Conflict("stage.not_on_stage", "You're not on stage.")
    return person_lock(session_id, user_id)


def stage_media_set(
    *,
    session_id: UUID,
    actor: Actor,
    audio: bool | None = None,
    video: bool | None = None,
    screen: bool | None = None,
) -> Participant:
    """Turn one's own microphone, camera or screen on or off; None leaves it unchanged. No event if nothing changes."""
    user_id = require_signed_in(actor)
    given = {Kind.AUDIO: audio, Kind.VIDEO: video, Kind.SCREEN: screen}
    wanted: dict[str, bool] = {kind: on for kind, on in given.items() if on is not None}
    with in_the_room(session_id=session_id, actor=actor) as place:
        person = _own_row(session_id, user_id)
        changed = flags_set_by_oneself(person, wanted=wanted, now=place.now)
        if not changed:
            return person
        place.tell(user_id, "media", kind=changed[0] if len(changed) == 1 else None)
    participants_sync(session_id=session_id, user_ids=[user_id])
    return person


def stage_mute(*, session_id: UUID, actor: Actor, user_id: UUID, kind: str) -> Participant:
    """Mute a participant, or oneself: the server stops forwarding until they unmute themselves."""
    if actor.user_id == user_id:
        return stage_media_set(session_id=session_id, actor=actor, **{Kind(kind).value: False})
    with at_the_desk(session_id=session_id, actor=actor) as desk:
        person = desk.target(user_id)
        require_seated(person)
        if not flags_set_by_host(person, kind=kind, now=desk.now):
            return person
        desk.audit("mute", user_id, kind=kind)
        desk.tell(user_id, "muted", kind=kind)
    participants_sync(session_id=session_id, user_ids=[user_id])
    return person


def stage_stop_screen(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Stop a participant's screen share; they may start another."""
    return stage_mute(session_id=session_id, actor=actor, user_id=user_id, kind=Kind.SCREEN)


def stage_mute_all(*, session_id: UUID, actor: Actor, kind: str) -> list[Participant]:
    """Mute everyone on stage whom the actor may mute, except the actor. Return the muted participants."""
    with at_the_desk(session_id=session_id, actor=actor) as desk:
        muted = [
            person
            for person in people_on_stage(session_id)
            if _may_act_on(person, desk) and flags_set_by_host(person, kind=kind, now=desk.now)
        ]
        if not muted:
            return []
        desk.audit("mute_all", None, kind=kind, people=[str(person.user_id) for person in muted])
        desk.tell(None, "muted", kind=kind)
    participants_sync(session_id=session_id, user_ids=[person.user_id for person in muted])
    return muted


def _may_act_on(person: Participant, desk: Acting) -> bool:
    whom = Standing(role=Role(person.role), status=None, moderates=False)
    try:
        require_act_on(actor=desk.actor, standing=desk.standing, target_id=person.user_id, target=whom)
    except Denied:
        return False
    return True


def stage_unmute(*, session_id: UUID, actor: Actor, user_id: UUID, kind: str) -> Participant:
    """Unmute oneself. Another participant is only asked to: a microphone is never turned on remotely."""
    if actor.user_id == user_id:
        return stage_media_set(session_id=session_id, actor=actor, **{Kind(kind).value: True})
    with at_the_desk(session_id=session_id, actor=actor) as desk:
        person = desk.target(user_id)
        require_seated(person)
        asked = UnmuteAsked(session_id=session_id, at=desk.now, data={"kind": kind, "by": str(actor.user_id)})
        publish(asked, group=person_group(session_id, user_id))
    return person


def stage_remove(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Move a participant from the stage to the audience."""
    with at_the_desk(session_id=session_id, actor=actor) as desk:
        person = desk.target(user_id)
        _off(person, desk, action="remove")
    participants_sync(session_id=session_id, user_ids=[user_id])
    return person


def _off(person: Participant, desk: Acting, *, action: str) -> None:
    require_seated(person)
    seat_leave(person=person, now=desk.now)
    desk.audit(action, person.user_id)
    desk.tell(person.user_id, "left")


def stage_promote(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Promote a viewer to guest, if a seat is free, or a guest to co-host."""
    with at_the_desk(session_id=session_id, actor=actor) as desk:
        require_live(desk.session)
        person = desk.target(user_id)
        if person.role == Role.COHOST:
            raise Conflict("stage.on_stage_already", "That person is already a co-host.")
        if is_seated(person):
            require_choose_cohosts(actor=actor, standing=desk.standing)
            seat_rank(person=person, role=Role.COHOST, now=desk.now)
            what = "promoted"
        else:
            _seat(person, desk)
            what = "joined"
        desk.audit("promote", user_id, to=person.role)
        desk.tell(user_id, what)
    participants_sync(session_id=session_id, user_ids=[user_id])
    return person


def _seat(person: Participant, desk: Acting) -> None:
    """Seat a participant without a request. A pending request is approved."""
    require_open_stage(desk.session)
    seat_take(session=desk.session, person=person, now=desk.now)
    pending = request_pending(session_id=desk.session.pk, user_id=person.user_id)
    if pending is not None:
        request_resolve(pending, status=GuestRequestStatus.APPROVED, responder_id=desk.actor.user_id, now=desk.now)


def stage_demote(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Demote a co-host to guest, or a guest to viewer."""
    with at_the_desk(session_id=session_id, actor=actor) as desk:
        person = desk.target(user_id)
        if person.role == Role.COHOST:
            seat_rank(person=person, role=Role.GUEST, now=desk.now)
            desk.audit("demote", user_id, to="guest")
            desk.tell(user_id, "demoted")
        else:
            _off(person, desk, action="demote")
    participants_sync(session_id=session_id, user_ids=[user_id])
    return person
