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
from streams.services.provider.participant_sync import participant_sync_deliver
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
from streams.services.stage.stage_transaction import Acting, room_transaction, studio_transaction
from streams.stage_permissions import require_act_on, require_choose_cohosts


class Kind(StrEnum):
    """The kinds of media sent on stage."""

    AUDIO = "audio"
    VIDEO = "video"
    SCREEN = "screen"


def stage_leave(*, session_id: UUID, actor: Actor) -> Participant:
    """Return to the audience. The seat is free at once."""
    user_id = require_signed_in(actor)
    with room_transaction(session_id=session_id, actor=actor) as acting:
        if acting.standing.is_host:
            raise Denied("stage.not_allowed", "The host can't leave the stage. End or pause the show instead.")
        person = _own_row(session_id, user_id)
        seat_leave(person=person, now=acting.now)
        acting.notify(user_id, "left")
    participant_sync_deliver(session_id=session_id, user_ids=[user_id])
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
    with room_transaction(session_id=session_id, actor=actor) as acting:
        person = _own_row(session_id, user_id)
        changed = flags_set_by_oneself(person, wanted=wanted, now=acting.now)
        if not changed:
            return person
        acting.notify(user_id, "media", kind=changed[0] if len(changed) == 1 else None)
    participant_sync_deliver(session_id=session_id, user_ids=[user_id])
    return person


def stage_mute(*, session_id: UUID, actor: Actor, user_id: UUID, kind: str) -> Participant:
    """Mute a participant, or oneself: the server stops forwarding until they unmute themselves."""
    if actor.user_id == user_id:
        return stage_media_set(session_id=session_id, actor=actor, **{Kind(kind).value: False})
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        person = acting.target(user_id)
        require_seated(person)
        if not flags_set_by_host(person, kind=kind, now=acting.now):
            return person
        acting.audit("mute", user_id, kind=kind)
        acting.notify(user_id, "muted", kind=kind)
    participant_sync_deliver(session_id=session_id, user_ids=[user_id])
    return person


def stage_stop_screen(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Stop a participant's screen share; they may start another."""
    return stage_mute(session_id=session_id, actor=actor, user_id=user_id, kind=Kind.SCREEN)


def stage_mute_all(*, session_id: UUID, actor: Actor, kind: str) -> list[Participant]:
    """Mute everyone on stage whom the actor may mute, except the actor. Return the muted participants."""
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        muted = [
            person
            for person in people_on_stage(session_id)
            if _may_act_on(person, acting) and flags_set_by_host(person, kind=kind, now=acting.now)
        ]
        if not muted:
            return []
        acting.audit("mute_all", None, kind=kind, people=[str(person.user_id) for person in muted])
        acting.notify(None, "muted", kind=kind)
    participant_sync_deliver(session_id=session_id, user_ids=[person.user_id for person in muted])
    return muted


def _may_act_on(person: Participant, acting: Acting) -> bool:
    whom = Standing(role=Role(person.role), status=None, moderates=False)
    try:
        require_act_on(actor=acting.actor, standing=acting.standing, target_id=person.user_id, target=whom)
    except Denied:
        return False
    return True


def stage_unmute(*, session_id: UUID, actor: Actor, user_id: UUID, kind: str) -> Participant:
    """Unmute oneself. Another participant is only asked to: a microphone is never turned on remotely."""
    if actor.user_id == user_id:
        return stage_media_set(session_id=session_id, actor=actor, **{Kind(kind).value: True})
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        person = acting.target(user_id)
        require_seated(person)
        asked = UnmuteAsked(session_id=session_id, at=acting.now, data={"kind": kind, "by": str(actor.user_id)})
        publish(asked, group=person_group(session_id, user_id))
    return person


def stage_unseat(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Move a participant from the stage to the audience."""
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        person = acting.target(user_id)
        _off(person, acting, action="remove")
    participant_sync_deliver(session_id=session_id, user_ids=[user_id])
    return person


def _off(person: Participant, acting: Acting, *, action: str) -> None:
    require_seated(person)
    seat_leave(person=person, now=acting.now)
    acting.audit(action, person.user_id)
    acting.notify(person.user_id, "left")


def stage_promote(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Promote a viewer to guest, if a seat is free, or a guest to co-host."""
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        require_live(acting.session)
        person = acting.target(user_id)
        if person.role == Role.COHOST:
            raise Conflict("stage.on_stage_already", "That person is already a co-host.")
        if is_seated(person):
            require_choose_cohosts(actor=actor, standing=acting.standing)
            seat_rank(person=person, role=Role.COHOST, now=acting.now)
            what = "promoted"
        else:
            _seat(person, acting)
            what = "joined"
        acting.audit("promote", user_id, to=person.role)
        acting.notify(user_id, what)
    participant_sync_deliver(session_id=session_id, user_ids=[user_id])
    return person


def _seat(person: Participant, acting: Acting) -> None:
    """Seat a participant without a request. A pending request is approved."""
    require_open_stage(acting.session)
    seat_take(session=acting.session, person=person, now=acting.now)
    pending = request_pending(session_id=acting.session.pk, user_id=person.user_id)
    if pending is not None:
        request_resolve(pending, status=GuestRequestStatus.APPROVED, responder_id=acting.actor.user_id, now=acting.now)


def stage_demote(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Demote a co-host to guest, or a guest to viewer."""
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        person = acting.target(user_id)
        if person.role == Role.COHOST:
            seat_rank(person=person, role=Role.GUEST, now=acting.now)
            acting.audit("demote", user_id, to="guest")
            acting.notify(user_id, "demoted")
        else:
            _off(person, acting, action="demote")
    participant_sync_deliver(session_id=session_id, user_ids=[user_id])
    return person
