"""The session lifecycle: create, update, start, pause, resume, end, fail."""

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from livestream.actors import SYSTEM, Actor, require_signed_in
from livestream.errors import Conflict, Invalid
from livestream.events import close_room, publish
from livestream.metrics import TRANSITIONS
from livestream.realtime.protocol import CloseCode
from livestream.text import cleaned, shows
from providers.interface import Capability
from providers.registry import provider_can
from streams.events import SessionChanged, SettingsChanged
from streams.models import (
    AuditEntry,
    Participant,
    ParticipantStatus,
    Role,
    SessionSettings,
    SessionTransition,
    SessionType,
    StreamSession,
    Visibility,
)
from streams.payloads import session_payload
from streams.permissions import require_end, require_host
from streams.selectors import session_get
from streams.services.provider.room_cleanup import room_close_deliver, room_close_put
from streams.services.show.provider_choice import provider_for
from streams.services.show.provider_failover import channel_renew, require_fit
from streams.services.show.sequence import event_record
from streams.services.stage.guest_queue import requests_close
from streams.signals import session_over
from streams.state import OVER, EndReason, SessionState, can_move

OPEN_SESSIONS_PER_HOST = 50
RACES = 5
DESCRIPTIVE = ("title", "description", "visibility", "scheduled_for", "auction_id", "session_type")

logger = logging.getLogger(__name__)


def session_create(
    *, actor: Actor, title: str, settings_changes: dict[str, Any] | None = None, **fields: Any
) -> StreamSession:
    """Create a session hosted by the actor. `fields` are those of DESCRIPTIVE and `provider`.

    A named `provider` must suit the session; otherwise a suitable one is chosen.
    """
    host_id = require_signed_in(actor)
    now = timezone.now()
    kind = {"visibility": fields.get("visibility", Visibility.PUBLIC), "session_type": fields.get("session_type", "")}
    provider = fields.pop("provider", None) or provider_for(**kind)
    require_fit(provider=provider, **kind)
    if not kind["session_type"] and not provider_can(provider, Capability.BROWSER_PUBLISHES):
        fields["session_type"] = SessionType.ENCODER
    _require_future(fields.get("scheduled_for"), now)
    title = _clean_title(title)
    fields["description"] = cleaned(fields.get("description", ""))
    with transaction.atomic():
        open_now = StreamSession.objects.filter(host_id=host_id).exclude(state__in=OVER).count()
        if open_now >= OPEN_SESSIONS_PER_HOST:
            raise Conflict("session.too_many_open", "You have too many open shows. End or cancel some first.")
        session = StreamSession.objects.create(
            host_id=host_id, title=title, provider=provider, media_node=settings.MEDIA_NODE, created_at=now, **fields
        )
        SessionSettings.objects.create(session=session, **(settings_changes or {}))
        Participant.objects.create(session=session, user_id=host_id, role=Role.HOST, joined_at=now)
        SessionTransition.objects.create(
            session=session, version=0, to_state=SessionState.INITIALIZING, actor_id=host_id, created_at=now
        )
    logger.info("session made id=%s provider=%s", session.pk, provider)
    return session_get(session.pk)


def _clean_title(title: str) -> str:
    result = " ".join(cleaned(title).split())
    if not shows(result):
        raise Invalid("invalid", "Give your show a title.", fields={"title": ["Give your show a title."]})
    return result


def _require_future(moment: datetime | None, now: datetime) -> None:
    if moment is not None and moment <= now:
        message = "Choose a time in the future."
        raise Invalid("invalid", message, fields={"scheduled_for": [message]})


def session_update(
    *,
    session_id: UUID,
    actor: Actor,
    changes: dict[str, Any],
    settings_changes: dict[str, Any] | None = None,
) -> StreamSession:
    """Update the description and settings of a session (host), or its title and description (staff).

    Publishes nothing if nothing changes.
    """
    session = session_get(session_id)
    if not (actor.is_staff and not settings_changes and set(changes) <= {"title", "description"}):
        require_host(actor=actor, session=session)
    if session.state in OVER and (settings_changes or set(changes) - {"title", "description"}):
        raise Conflict("session.ended", "This show has ended. You can only change its title and description.")
    now = timezone.now()
    if "title" in changes:
        changes = changes | {"title": _clean_title(changes["title"])}
    if "description" in changes:
        changes = changes | {"description": cleaned(changes["description"])}
    changed = {name: value for name, value in changes.items() if getattr(session, name) != value}
    if "scheduled_for" in changed:
        _require_future(changed["scheduled_for"], now)
    turned = {
        name: value for name, value in (settings_changes or {}).items() if getattr(session.settings, name) != value
    }
    if not changed and not turned:
        return session
    turns_private = changed.get("visibility") == Visibility.PRIVATE
    if "session_type" in changed:
        require_fit(provider=session.provider, visibility=session.visibility, session_type=changed["session_type"])
    if turns_private:
        require_fit(provider=session.provider, visibility=Visibility.PRIVATE)
    left = session.channel_id
    with transaction.atomic():
        if changed:
            StreamSession.objects.filter(pk=session_id).update(**changed)
        if turned:
            SessionSettings.objects.filter(pk=session_id).update(**turned)
        if turns_private:
            channel_renew(session=session, now=now)
        session = session_get(session_id)
        moved = ["channel"] if turns_private and session.channel_id != left else []
        data = {"session": session_payload(session, now=now), "changed": sorted([*changed, *turned, *moved])}
        seq = event_record(session_id=session_id, wire_name=SettingsChanged.wire_name, data=data, now=now)
        publish(SettingsChanged(session_id=session_id, at=now, seq=seq, data=data))
        if turns_private:
            # Everyone reconnects, and only people with access get in again.
            close_room(session_id=session_id, code=CloseCode.POSITION_LOST, reason="private now", after_seconds=0)
    if turns_private:
        room_close_deliver(provider=session.provider, channel_id=left)
    return session


def session_start(*, session_id: UUID, actor: Actor) -> StreamSession:
    """Go live. Starting a live session changes nothing."""
    session = session_get(session_id)
    require_host(actor=actor, session=session)
    return _move(session, to=SessionState.ACTIVE, origin=SessionState.INITIALIZING, actor=actor)


def session_pause(*, session_id: UUID, actor: Actor) -> StreamSession:
    """Pause. Pausing twice changes nothing."""
    session = session_get(session_id)
    require_host(actor=actor, session=session)
    return _move(session, to=SessionState.PAUSED, origin=SessionState.ACTIVE, actor=actor)


def session_resume(*, session_id: UUID, actor: Actor) -> StreamSession:
    """Resume. Resuming a live session changes nothing."""
    session = session_get(session_id)
    require_host(actor=actor, session=session)
    return _move(session, to=SessionState.ACTIVE, origin=SessionState.PAUSED, actor=actor)


def session_end(*, session_id: UUID, actor: Actor, reason: EndReason = EndReason.HOST) -> StreamSession:
    """End the session and close media and sockets. Ending twice changes nothing.

    The reason records whether the host or staff ended it.
    """
    session = session_get(session_id)
    require_end(actor=actor, session=session)
    if actor.user_id is not None and actor.user_id != session.host_id:
        reason = EndReason.MODERATOR
    session = _move(session, to=SessionState.ENDED, actor=actor, reason=reason)
    room_close_deliver(provider=session.provider, channel_id=session.channel_id)
    return session


def session_fail(*, session_id: UUID, actor: Actor) -> StreamSession:
    """Mark a session as failed."""
    session = session_get(session_id)
    require_end(actor=actor, session=session)
    session = _move(session, to=SessionState.ERROR, actor=actor, reason=EndReason.FAILURE)
    room_close_deliver(provider=session.provider, channel_id=session.channel_id)
    return session


def session_refused(*, session_id: UUID) -> None:
    """Handle a permanent refusal of the host by the provider: fail a live show that never had media. Others
    continue, or wait for the operator."""
    session = session_get(session_id)
    if session.state == SessionState.ACTIVE and session.host_lease_at is None:
        session_fail(session_id=session_id, actor=SYSTEM)


def _move(
    session: StreamSession,
    *,
    to: SessionState,
    actor: Actor,
    origin: SessionState | None = None,
    reason: EndReason | None = None,
) -> StreamSession:
    """Change the state by compare-and-swap. After a lost race, check again: the state may already be reached."""
    for _ in range(RACES):
        current = SessionState(session.state)
        if current == to:
            return session
        if not can_move(current=current, to=to) or (origin is not None and current != origin):
            raise Conflict("session.illegal_transition", _why_not(current, to))
        now = timezone.now()
        with transaction.atomic():
            if _swap(session, to=to, reason=reason, now=now):
                return _record(session, to=to, reason=reason, actor=actor, now=now)
        session = session_get(session.pk)
    raise Conflict("session.busy", "Someone else is changing this show. Try again.", retry_after=1)


def _swap(session: StreamSession, *, to: SessionState, reason: EndReason | None, now: datetime) -> bool:
    changes: dict[str, Any] = {"state": to, "version": F("version") + 1}
    match to:
        case SessionState.ACTIVE:
            changes |= {"started_at": session.started_at or now, "paused_at": None}
            if session.host_lost_at is not None:
                changes["host_lost_at"] = now  # the grace period restarts when the show resumes
        case SessionState.PAUSED:
            changes["paused_at"] = now
        case SessionState.ENDED | SessionState.ERROR:
            # Ending a failed session keeps the time and reason of its failure.
            changes |= {"ended_at": session.ended_at or now, "end_reason": session.end_reason or reason or ""}
            changes |= {"viewer_count": 0, "guest_count": 0, "stage_slots": {}}
    swapped = StreamSession.objects.filter(pk=session.pk, state=session.state, version=session.version)
    return swapped.update(**changes) == 1


def _record(
    session: StreamSession, *, to: SessionState, reason: EndReason | None, actor: Actor, now: datetime
) -> StreamSession:
    previous = session.state
    moved = session_get(session.pk)
    SessionTransition.objects.create(
        session_id=session.pk,
        version=moved.version,
        from_state=previous,
        to_state=to,
        reason=reason or "",
        actor_id=actor.user_id,
        created_at=now,
    )
    AuditEntry.objects.create(
        session_id=session.pk,
        actor_id=actor.user_id,
        action=f"session.{to}",
        details={"from": previous, "reason": reason or ""},
        created_at=now,
    )
    data = {"session": session_payload(moved, now=now), "previous": previous, "reason": reason or None}
    seq = event_record(session_id=session.pk, wire_name=SessionChanged.wire_name, data=data, now=now)
    publish(SessionChanged(session_id=session.pk, at=now, seq=seq, data=data))
    if to in OVER:
        session_over.send(sender=StreamSession, session_id=session.pk, now=now)
        room_close_put(session=moved, now=now)
        requests_close(session_id=session.pk, now=now)
        Participant.objects.filter(session_id=session.pk, status=ParticipantStatus.ACTIVE).update(
            status=ParticipantStatus.LEFT, left_at=now
        )
        close_room(
            session_id=session.pk,
            code=CloseCode.SESSION_ENDED,
            reason="session ended",
            after_seconds=settings.REALTIME_CLOSE_AFTER_END_SECONDS,
        )
    TRANSITIONS.labels(to, reason or "").inc()
    logger.info("session moved id=%s from=%s to=%s reason=%s", session.pk, previous, to, reason or "-")
    return moved


def _why_not(current: SessionState, to: SessionState) -> str:
    if current in OVER:
        return "This show has ended."
    if current == SessionState.INITIALIZING:
        return "This show hasn't started yet."
    if to == SessionState.ACTIVE:
        return "This show is paused. Resume it." if current == SessionState.PAUSED else "This show is already live."
    return f"That isn't possible while the show is {current.label.lower()}."
