"""What a socket is told when it enters a room or comes back to it; gathered in one visit to the database."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils import timezone

from livestream.actors import Actor
from streams.models import StreamSession
from streams.payloads import session_payload
from streams.permissions import Standing, require_view
from streams.selectors import EventSource, missed_events, session_event_documents, session_get, stage_of
from streams.services.viewers import viewer_join
from streams.state import OVER

Section = Callable[[UUID], Any]


@dataclass(frozen=True)
class RoomParts:
    """What other apps add to a room: sections of the snapshot, and sources of durable events."""

    sections: dict[str, Section] = field(default_factory=dict)
    sources: tuple[EventSource, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody in a room: what every operation of the socket is given."""

    session_id: UUID
    actor: Actor
    parts: RoomParts
    viewers: int = 0


@dataclass(frozen=True, slots=True)
class Entrance:
    """The answer to somebody at the door."""

    standing: Standing
    over: bool


def room_enter(place: Place) -> Entrance:
    """Let somebody in, as a participant when signed in. Raises the domain's errors for who may not."""
    session = session_get(place.session_id)
    standing = require_view(actor=place.actor, session=session)
    over = session.state in OVER
    if place.actor.user_id is not None and not over:
        viewer_join(session_id=place.session_id, actor=place.actor)
    return Entrance(standing=standing, over=over)


def room_snapshot(place: Place, *, viewers: int) -> dict[str, Any]:
    """The whole room as it is now."""
    session = session_get(place.session_id)
    standing = require_view(actor=place.actor, session=session)
    snapshot = {
        "epoch": session.epoch,
        "seq": session.head_seq,
        "session": session_payload(session, now=timezone.now()),
        "me": me_payload(actor=place.actor, standing=standing, session=session),
        "participants": stage_of(session.pk),
        "viewers": viewers,
    }
    return snapshot | {name: section(session.pk) for name, section in place.parts.sections.items()}


def room_resume(place: Place, *, epoch: str, after: int) -> dict[str, Any] | None:
    """All that was missed since a position; None when it cannot be all of it, and a snapshot is due."""
    session = session_get(place.session_id)
    require_view(actor=place.actor, session=session)
    sources = [session_event_documents, *place.parts.sources]
    events = missed_events(session=session, epoch=epoch, after=after, sources=sources)
    if events is None:
        return None
    return {"recovered": True, "epoch": session.epoch, "seq": session.head_seq, "events": events}


def me_payload(*, actor: Actor, standing: Standing, session: StreamSession) -> dict[str, Any]:
    """Who the socket's owner is in this room, and what they may do."""
    signed_in = actor.user_id is not None
    open_ = session.state not in OVER
    chat_on = session.settings.enable_chat or standing.can_moderate
    return {
        "id": str(actor.user_id) if signed_in else None,
        "username": actor.username,
        "display_name": actor.display_name,
        "role": standing.role or "viewer",
        "can": {
            "chat": signed_in and open_ and chat_on,
            "moderate": signed_in and standing.can_moderate,
            "control": signed_in and standing.is_host,
            "publish": signed_in and open_ and standing.can_publish,
        },
    }
