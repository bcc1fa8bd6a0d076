"""Events of services, published when their transaction has committed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction

from livestream.realtime import layer_sender


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in one session's room.

    `data` is finished: it holds only primitives, and no code queries or serialises after this. A durable event carries
    the `seq` that its transaction took from the session row. Others have none, and the next snapshot contains their
    effect.
    """

    wire_name: ClassVar[str]
    # The event revokes earlier ones, which must no longer be replayed from memory.
    revokes: ClassVar[bool] = False

    session_id: UUID
    at: datetime
    seq: int | None = None
    data: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the JSON document for sockets."""
        body: dict[str, Any] = {"type": self.wire_name}
        if self.seq is not None:
            body["seq"] = self.seq
        return body | {"ts": self.at.isoformat().replace("+00:00", "Z"), "data": self.data}


def publish(event: Event, *, group: str | None = None) -> None:
    """Send an event to its room, or to one narrower group, once the running transaction has committed.

    A rolled-back transaction publishes nothing. Outside a transaction the event is sent at once.
    """
    transaction.on_commit(partial(layer_sender.send_event, event.session_id, event.document(), group, event.revokes))


def publish_latest(events: Mapping[str, Event]) -> None:
    """Send each of many narrow audiences an event of its own, once the running transaction has committed.

    They travel together. Of several for one audience in transit at the same time only the last arrives.
    """
    if events:
        documents = {group: event.document() for group, event in events.items()}
        transaction.on_commit(partial(layer_sender.send_latest, documents))


def close_room(*, session_id: UUID, code: int, reason: str, after_seconds: float) -> None:
    """Close all sockets of a room `after_seconds` after the running transaction has committed."""
    transaction.on_commit(partial(layer_sender.send_room_close, session_id, code, reason, after_seconds))


def close_person(*, session_id: UUID, user_id: UUID, code: int, reason: str) -> None:
    """Close all sockets of one person in one room, once the running transaction has committed."""
    transaction.on_commit(partial(layer_sender.send_person_close, session_id, user_id, code, reason))


def studio_subscribe(*, session_id: UUID, user_id: UUID) -> None:
    """Subscribe one person's open sockets to the host's studio, once the running transaction has committed."""
    transaction.on_commit(partial(layer_sender.send_studio_subscription, session_id, user_id, True))


def studio_unsubscribe(*, session_id: UUID, user_id: UUID) -> None:
    """Unsubscribe one person's open sockets from the host's studio, once the running transaction has committed."""
    transaction.on_commit(partial(layer_sender.send_studio_subscription, session_id, user_id, False))


def close_user(*, user_id: UUID, code: int, reason: str) -> None:
    """Close all sockets of one person in all rooms, once the running transaction has committed."""
    transaction.on_commit(partial(layer_sender.send_user_close, user_id, code, reason))
