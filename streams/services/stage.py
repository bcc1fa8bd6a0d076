"""The people on stage: their own microphone, camera and screen, and what the host's desk does about them."""

import logging
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Denied
from livestream.events import publish
from livestream.realtime.groups import person_group
from streams.events import UnmuteAsked
from streams.models import GuestRequestStatus, Participant, Role, StreamSession
from streams.permissions import Standing, require_moderate, require_view, standing_of
from streams.selectors import people_on_stage, session_get
from streams.services.flags import flags_set_by_host, flags_set_by_oneself
from streams.services.queue import request_pending, request_resolve
from streams.services.seats import (
    deed_audit,
    is_seated,
    person_lock,
    require_live,
    require_open_stage,
    require_seated,
    seat_leave,
    seat_rank,
    seat_take,
    stage_lock,
    stage_tell,
)
from streams.services.stage_media import people_media_tell, person_media_tell
from streams.stage_permissions import require_act_on, require_choose_cohosts

logger = logging.getLogger(__name__)


class Kind(StrEnum):
    """What a person on stage sends."""

    AUDIO = "audio"
    VIDEO = "video"
    SCREEN = "screen"


def stage_leave(*, session_id: UUID, actor: Actor) -> Participant:
    """Go back to the audience. The seat is free at once."""
    user_id = require_signed_in(actor)
    standing = require_view(actor=actor, session=session_get(session_id))
    if standing.is_host:
        raise Denied("stage.not_allowed", "The host stays on stage. End or pause the show instead.")
    now = timezone.now()
    with transaction.atomic():
        stage_lock(session_id)
        person = _own_row(session_id, user_id)
        seat_leave(person=person, now=now)
        stage_tell(session_id=session_id, user_id=user_id, what="left", by=user_id, now=now)
    person_media_tell(session_id=session_id, user_id=user_id)
    return person


def _own_row(session_id: UUID, user_id: UUID) -> Participant:
    """The locked row of somebody who must be on stage; who never was in the show is not."""
    rows = {person.user_id: person for person in people_on_stage(session_id)}
    if user_id not in rows:
        raise Conflict("stage.not_on_stage", "You are not on stage.")
    return person_lock(session_id, user_id)


def stage_media_set(
    *,
    session_id: UUID,
    actor: Actor,
    audio: bool | None = None,
    video: bool | None = None,
    screen: bool | None = None,
) -> Participant:
    """Turn one's own microphone, camera or screen on or off; None leaves it. What holds already tells nobody."""
    user_id = require_signed_in(actor)
    require_view(actor=actor, session=session_get(session_id))
    wanted = {Kind.AUDIO: audio, Kind.VIDEO: video, Kind.SCREEN: screen}
    now = timezone.now()
    with transaction.atomic():
        stage_lock(session_id)
        person = _own_row(session_id, user_id)
        changed = flags_set_by_oneself(person, wanted={k: on for k, on in wanted.items() if on is not None}, now=now)
        if not changed:
            return person
        kind = changed[0] if len(changed) == 1 else None
        stage_tell(session_id=session_id, user_id=user_id, what="media", by=user_id, kind=kind, now=now)
    person_media_tell(session_id=session_id, user_id=user_id)
    return person


def stage_mute(*, session_id: UUID, actor: Actor, user_id: UUID, kind: str) -> Participant:
    """Mute somebody on stage: the server forwards no more of it until they turn it on themselves. Or mute oneself."""
    if actor.user_id == user_id:
        return stage_media_set(session_id=session_id, actor=actor, **{Kind(kind).value: False})
    standing = require_moderate(actor=actor, session=session_get(session_id))
    now = timezone.now()
    with transaction.atomic():
        stage_lock(session_id)
        person = _target(session_id, user_id, actor=actor, standing=standing)
        require_seated(person)
        if not flags_set_by_host(person, kind=kind, now=now):
            return person
        deed_audit(session_id=session_id, actor_id=actor.user_id, action="mute", target_id=user_id, now=now, kind=kind)
        stage_tell(session_id=session_id, user_id=user_id, what="muted", by=actor.user_id, kind=kind, now=now)
    person_media_tell(session_id=session_id, user_id=user_id)
    return person


def stage_stop_screen(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Stop what somebody shares; they may share anew."""
    return stage_mute(session_id=session_id, actor=actor, user_id=user_id, kind=Kind.SCREEN)


def stage_mute_all(*, session_id: UUID, actor: Actor, kind: str) -> list[Participant]:
    """Mute everybody on stage whom the actor may mute, but oneself; who was muted by that."""
    standing = require_moderate(actor=actor, session=session_get(session_id))
    now = timezone.now()
    with transaction.atomic():
        stage_lock(session_id)
        muted = [
            person
            for person in people_on_stage(session_id)
            if _may_act_on(person, actor=actor, standing=standing) and flags_set_by_host(person, kind=kind, now=now)
        ]
        if not muted:
            return []
        people = [str(person.user_id) for person in muted]
        deed_audit(
            session_id=session_id,
            actor_id=actor.user_id,
            action="mute_all",
            target_id=None,
            now=now,
            kind=kind,
            people=people,
        )
        stage_tell(session_id=session_id, user_id=None, what="muted", by=actor.user_id, kind=kind, now=now)
    people_media_tell(session_id=session_id, user_ids=[person.user_id for person in muted])
    return muted


def stage_unmute(*, session_id: UUID, actor: Actor, user_id: UUID, kind: str) -> Participant:
    """Turn one's own on. Somebody else is only asked to: nobody opens another's microphone."""
    if actor.user_id == user_id:
        return stage_media_set(session_id=session_id, actor=actor, **{Kind(kind).value: True})
    standing = require_moderate(actor=actor, session=session_get(session_id))
    now = timezone.now()
    with transaction.atomic():
        stage_lock(session_id)
        person = _target(session_id, user_id, actor=actor, standing=standing)
        require_seated(person)
        data = {"kind": kind, "by": str(actor.user_id)}
        publish(UnmuteAsked(session_id=session_id, at=now, data=data), group=person_group(session_id, user_id))
    return person


def stage_remove(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Take somebody off the stage; they go on watching."""
    standing = require_moderate(actor=actor, session=session_get(session_id))
    now = timezone.now()
    with transaction.atomic():
        stage_lock(session_id)
        person = _target(session_id, user_id, actor=actor, standing=standing)
        _off(person, actor=actor, action="remove", now=now)
    person_media_tell(session_id=session_id, user_id=user_id)
    return person


def _off(person: Participant, *, actor: Actor, action: str, now: datetime) -> None:
    require_seated(person)
    seat_leave(person=person, now=now)
    deed_audit(session_id=person.session_id, actor_id=actor.user_id, action=action, target_id=person.user_id, now=now)
    stage_tell(session_id=person.session_id, user_id=person.user_id, what="left", by=actor.user_id, now=now)


def stage_promote(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """A viewer becomes a guest, if a seat is free; a guest becomes a cohost."""
    standing = require_moderate(actor=actor, session=session_get(session_id))
    now = timezone.now()
    with transaction.atomic():
        session = stage_lock(session_id)
        require_live(session)
        person = _target(session_id, user_id, actor=actor, standing=standing)
        if person.role == Role.COHOST:
            raise Conflict("stage.on_stage_already", "That person is a co-host already.")
        if is_seated(person):
            require_choose_cohosts(actor=actor, standing=standing)
            seat_rank(person=person, role=Role.COHOST, now=now)
            what = "promoted"
        else:
            _seat(session, person, actor=actor, now=now)
            what = "joined"
        deed_audit(
            session_id=session_id, actor_id=actor.user_id, action="promote", target_id=user_id, now=now, to=person.role
        )
        stage_tell(session_id=session_id, user_id=user_id, what=what, by=actor.user_id, now=now)
    person_media_tell(session_id=session_id, user_id=user_id)
    return person


def _seat(session: StreamSession, person: Participant, *, actor: Actor, now: datetime) -> None:
    """Bring somebody on stage who need not have asked; if they had, that is answered by it."""
    require_open_stage(session)
    seat_take(session=session, person=person, now=now)
    pending = request_pending(session_id=session.pk, user_id=person.user_id)
    if pending is not None:
        request_resolve(pending, status=GuestRequestStatus.APPROVED, responder_id=actor.user_id, now=now)


def stage_demote(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """A cohost becomes a guest; a guest goes back to the audience."""
    standing = require_moderate(actor=actor, session=session_get(session_id))
    now = timezone.now()
    with transaction.atomic():
        stage_lock(session_id)
        person = _target(session_id, user_id, actor=actor, standing=standing)
        if person.role == Role.COHOST:
            seat_rank(person=person, role=Role.GUEST, now=now)
            deed_audit(
                session_id=session_id, actor_id=actor.user_id, action="demote", target_id=user_id, now=now, to="guest"
            )
            stage_tell(session_id=session_id, user_id=user_id, what="demoted", by=actor.user_id, now=now)
        else:
            _off(person, actor=actor, action="demote", now=now)
    person_media_tell(session_id=session_id, user_id=user_id)
    return person


def _target(session_id: UUID, user_id: UUID, *, actor: Actor, standing: Standing) -> Participant:
    """The locked row of somebody on whom the actor may act."""
    person = person_lock(session_id, user_id)
    whom = standing_of(actor=Actor(user_id=user_id), session_id=session_id)
    require_act_on(actor=actor, standing=standing, target_id=user_id, target=whom)
    return person


def _may_act_on(person: Participant, *, actor: Actor, standing: Standing) -> bool:
    whom = Standing(role=Role(person.role), status=None, moderates=False)
    try:
        require_act_on(actor=actor, standing=standing, target_id=person.user_id, target=whom)
    except Denied:
        return False
    return True
