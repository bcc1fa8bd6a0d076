"""Removal of messages and read positions. Posting is in `chat.posting`."""

from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chat.events import ChatMessageRemoved
from chat.models import ChatMessage, ReadMarker
from livestream.actors import Actor, require_signed_in
from livestream.errors import Missing
from livestream.events import publish
from streams.models import AuditEntry
from streams.permissions import require_moderate, require_view
from streams.selectors import session_get
from streams.services.show.sequence import event_record


def message_remove(*, message_id: UUID, actor: Actor, session_id: UUID | None = None) -> ChatMessage:
    """Remove a message, as its author or as a moderator of the session. Removing it twice changes nothing.

    `session_id` binds the removal to one session, so that an id of another room finds nothing.
    """
    user_id = require_signed_in(actor)
    scope = Q(pk=message_id) if session_id is None else Q(pk=message_id, session_id=session_id)
    message = ChatMessage.objects.filter(scope).first()
    if message is None:
        raise Missing("chat.no_such_message", "That message no longer exists.")
    session = session_get(message.session_id)
    if message.user_id != user_id:
        require_moderate(actor=actor, session=session)
    else:
        require_view(actor=actor, session=session)
    now = timezone.now()
    with transaction.atomic():
        standing_one = ChatMessage.objects.filter(pk=message.pk, removed_at__isnull=True)
        if not standing_one.update(removed_at=now, removed_by_id=user_id):
            message.refresh_from_db()
            return message
        data = {"id": str(message.pk), "seq_removed": message.seq, "by": str(user_id)}
        seq = event_record(session_id=session.pk, wire_name=ChatMessageRemoved.wire_name, data=data, now=now)
        AuditEntry.objects.create(
            session_id=session.pk,
            actor_id=user_id,
            action="chat.remove",
            target_user_id=message.user_id,
            details={"message": str(message.pk)},
            created_at=now,
        )
        publish(ChatMessageRemoved(session_id=session.pk, at=now, seq=seq, data=data))
    message.refresh_from_db()
    return message


def read_mark(*, session_id: UUID, actor: Actor, seq: int) -> int:
    """Store the actor's read position. It never moves back, or past the room's last number."""
    user_id = require_signed_in(actor)
    session = session_get(session_id)
    require_view(actor=actor, session=session)
    position = min(seq, session.head_seq)
    marker, made = ReadMarker.objects.get_or_create(session_id=session_id, user_id=user_id, defaults={"seq": position})
    if not made and marker.seq < position:
        ReadMarker.objects.filter(pk=marker.pk, seq__lt=position).update(seq=position)
        marker.seq = position
    return marker.seq
