"""Saying something, taking it away, reading up to somewhere."""

from datetime import datetime
from uuid import UUID

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from chat.events import ChatMessagePosted, ChatMessageRemoved
from chat.models import ChatMessage, MessageType, ReadMarker, Sanction, SanctionKind
from chat.payloads import message_payload
from chat.text import text_clean
from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Denied, Invalid, Missing, TooMany
from livestream.events import publish
from streams.models import AuditEntry, StreamSession
from streams.permissions import Standing, require_moderate, require_view
from streams.selectors import session_get
from streams.services.sequence import event_record, seqs_take
from streams.state import OVER


def message_post(
    *,
    session_id: UUID,
    actor: Actor,
    text: str,
    client_id: str,
    reply_to: UUID | None = None,
    message_type: MessageType = MessageType.USER,
) -> ChatMessage:
    """Say something. The same `client_id` of the same person again returns the first message and stores nothing."""
    user_id = require_signed_in(actor)
    known = _posted(session_id, user_id, client_id)
    if known is not None:
        return known
    session = session_get(session_id)
    standing = require_view(actor=actor, session=session)
    now = timezone.now()
    _require_may_write(session=session, standing=standing, user_id=user_id, message_type=message_type, now=now)
    content = text_clean(text)
    _require_reply_in_session(session_id, reply_to)
    _slow_down(session=session, standing=standing, user_id=user_id, client_id=client_id)
    try:
        with transaction.atomic():
            message = ChatMessage.objects.create(
                session_id=session_id,
                seq=seqs_take(session_id=session_id)[0],
                client_id=client_id,
                user_id=user_id,
                username=actor.username,
                display_name=actor.display_name,
                role=_shown_role(actor, standing),
                content=content,
                message_type=message_type,
                reply_to_id=reply_to,
                created_at=now,
            )
            data = message_payload(message)
            publish(ChatMessagePosted(session_id=session_id, at=now, seq=message.seq, data=data))
    except IntegrityError:
        # The same client_id at the same instant, from another socket: the other one won.
        known = _posted(session_id, user_id, client_id)
        if known is None:
            raise
        return known
    return message


def _posted(session_id: UUID, user_id: UUID, client_id: str) -> ChatMessage | None:
    return ChatMessage.objects.filter(session_id=session_id, user_id=user_id, client_id=client_id).first()


def _shown_role(actor: Actor, standing: Standing) -> str:
    if standing.role in (None, "viewer") and standing.moderates:
        return "moderator"
    return str(standing.role or "viewer")


def _require_may_write(
    *, session: StreamSession, standing: Standing, user_id: UUID, message_type: MessageType, now: datetime
) -> None:
    if session.state in OVER:
        raise Conflict("session.ended", "This show is over; its chat is closed.")
    if message_type not in (MessageType.USER, MessageType.SYSTEM, MessageType.AUCTION):
        raise Invalid("chat.bad_type", "That kind of message cannot be written.")
    if message_type != MessageType.USER and not (standing.is_host or standing.moderates):
        raise Denied("chat.type_not_allowed", "Only the host and the staff write notices.")
    if not session.settings.enable_chat and not standing.can_moderate:
        raise Denied("chat.disabled", "The host has turned the chat off.")
    held_back = Sanction.objects.filter(
        Q(session_id=session.pk) | Q(session__isnull=True),
        Q(until__isnull=True) | Q(until__gt=now),
        user_id=user_id,
        lifted_at__isnull=True,
    ).first()
    if held_back is not None:
        wait = (held_back.until - now).total_seconds() if held_back.until else None
        if held_back.kind == SanctionKind.BAN:
            raise Denied("session.banned", "You cannot write here any more.")
        raise Denied("chat.muted", "A moderator has muted you.", retry_after=round(wait, 1) if wait else None)


def _require_reply_in_session(session_id: UUID, reply_to: UUID | None) -> None:
    if reply_to is not None and not ChatMessage.objects.filter(session_id=session_id, pk=reply_to).exists():
        raise Missing("chat.no_such_message", "The message you reply to is not in this chat.")


def _slow_down(*, session: StreamSession, standing: Standing, user_id: UUID, client_id: str) -> None:
    seconds = session.settings.slow_mode_seconds
    if not seconds or standing.can_moderate:
        return
    # The wait belongs to one message: the same one again, sent because no answer came, is no second one.
    name = f"slow:{session.pk.hex}:{user_id.hex}"
    if not cache.add(name, client_id, timeout=seconds) and cache.get(name) != client_id:
        raise TooMany("chat.slow_mode", f"Slow mode: one message every {seconds} seconds.", retry_after=seconds)


def message_remove(*, message_id: UUID, actor: Actor, session_id: UUID | None = None) -> ChatMessage:
    """Take a message away: its author, or who moderates the session. Removing a removed one changes nothing.

    `session_id` binds the removal to one session, so that an id of another room finds nothing.
    """
    user_id = require_signed_in(actor)
    scope = Q(pk=message_id) if session_id is None else Q(pk=message_id, session_id=session_id)
    message = ChatMessage.objects.filter(scope).first()
    if message is None:
        raise Missing("chat.no_such_message", "There is no such message.")
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
    """Note up to where the actor has read; it never goes back, nor past the room's last number."""
    user_id = require_signed_in(actor)
    session = session_get(session_id)
    require_view(actor=actor, session=session)
    position = min(seq, session.head_seq)
    marker, made = ReadMarker.objects.get_or_create(session_id=session_id, user_id=user_id, defaults={"seq": position})
    if not made and marker.seq < position:
        ReadMarker.objects.filter(pk=marker.pk, seq__lt=position).update(seq=position)
        marker.seq = position
    return marker.seq
