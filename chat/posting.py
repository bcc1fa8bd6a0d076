"""Posting of messages: many messages, of many people in many rooms, in one transaction.

Each check runs once for the whole batch, so a message costs a fraction of what it costs alone. `message_post` is a
batch of one. The writer (`chat.writer`) collects messages for a few milliseconds, and posts only those that can be
stored promptly, so that one room's lock does not delay the others.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from django.core.cache import cache
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from redis.exceptions import RedisError

from chat.events import ChatMessagePosted
from chat.models import ChatMessage, MessageType
from chat.payloads import message_payload
from chat.text import text_clean
from livestream.actors import Actor
from livestream.errors import Conflict, Denied, DomainError, Invalid, Missing, NotAuthenticated, TooMany
from livestream.events import publish
from streams.models import StreamSession
from streams.permissions import NO_STANDING, Standing, require_view_as, standings_of
from streams.services.show.sequence import is_lock_timeout, seqs_take_promptly, seqs_take_unheld, seqs_take_while_open
from streams.state import OVER

logger = logging.getLogger(__name__)

WRITABLE = (MessageType.USER, MessageType.SYSTEM, MessageType.AUCTION)


Key = tuple[UUID, UUID | None, str]


@dataclass(frozen=True, slots=True)
class Post:
    """A message to post. `client_id` is the client's own id for it."""

    session_id: UUID
    actor: Actor
    text: str
    client_id: str
    reply_to: UUID | None = None
    message_type: str = MessageType.USER

    @property
    def key(self) -> Key:
        """The key by which a repeated message is recognised."""
        return self.session_id, self.actor.user_id, self.client_id


@dataclass(frozen=True, slots=True)
class Facts:
    """The state of the database when a batch was checked."""

    now: datetime
    rooms: dict[UUID, StreamSession]
    standings: dict[tuple[UUID, UUID], Standing]
    replied: dict[UUID, UUID]

    def is_slow(self, session_id: UUID) -> bool:
        """Return whether slow mode is on in the session."""
        room = self.rooms.get(session_id)
        return room is not None and room.settings.slow_mode_seconds > 0


Outcome = ChatMessage | DomainError
Take = Callable[[Mapping[UUID, int]], dict[UUID, range]]


def message_post(
    *,
    session_id: UUID,
    actor: Actor,
    text: str,
    client_id: str,
    reply_to: UUID | None = None,
    message_type: str = MessageType.USER,
) -> ChatMessage:
    """Post a message. The same `client_id` of the same person again returns the first message and stores nothing."""
    post = Post(session_id, actor, text, client_id, reply_to, message_type)
    (outcome,) = messages_post(posts=[post])
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def messages_post(*, posts: Sequence[Post]) -> list[Outcome]:
    """Post many messages. Return the stored message or the error for each, in order."""
    return cast("list[Outcome]", _post(posts, seqs_take_while_open))  # it takes the numbers of all, or raises


def messages_post_promptly(*, posts: Sequence[Post]) -> list[Outcome | None]:
    """Post many messages without waiting for rooms that another transaction has locked.

    None stands for a message that must be posted again separately. After such a message, none of the same room is
    stored.
    """
    with _lock_timeout_suppressed():
        return _post(posts, seqs_take_promptly)
    # Some messages may be stored already; they are then found by their client_id.
    with _lock_timeout_suppressed():
        return _post(posts, seqs_take_unheld)
    return [None for _ in posts]  # another row is locked, for example that of a person being deleted


@contextmanager
def _lock_timeout_suppressed() -> Iterator[None]:
    """Leave a block whose transaction waited too long for another one."""
    try:
        yield
    except OperationalError as error:
        if not is_lock_timeout(error):
            raise


def _post(posts: Sequence[Post], take: Take) -> list[Outcome | None]:
    with suppress(IntegrityError, Conflict):
        return _post_all(posts, take, known={})
    # Nearly all messages are new, so the insert itself detects repeated ones. In that case, or if a room ended between
    # the checks and the insert, look the messages up first. If it fails again, post them one by one, so that one
    # failing message does not fail the batch.
    with suppress(IntegrityError, Conflict):
        return _post_all(posts, take, known=_known(posts))
    outcomes: list[Outcome | None] = []
    held: set[UUID] = set()
    for post in posts:
        outcome = None if post.session_id in held else _post_one(post, take)
        if outcome is None:
            held.add(post.session_id)
        outcomes.append(outcome)
    return outcomes


def _post_one(post: Post, take: Take) -> Outcome | None:
    try:
        return _post_all([post], take, known=_known([post]))[0]
    except Conflict as error:
        return error
    except IntegrityError:
        known = _known([post]).get(post.key)
        if known is None:
            raise
        return known


def _post_all(posts: Sequence[Post], take: Take, *, known: dict[Key, ChatMessage]) -> list[Outcome | None]:
    """Post all messages, or none if it raises.

    Raises IntegrityError if another message is stored already, and Conflict if a room has just ended. None stands for
    the messages of a room whose numbers could not be taken.
    """
    keys = [post.key for post in posts]
    firsts = dict(zip(reversed(keys), reversed(posts), strict=True))
    outcomes: dict[Key, Outcome | None] = {key: known[key] for key in firsts if key in known}
    facts = _facts([post for key, post in firsts.items() if key not in known])
    # Slow mode must not count a stored message again.
    outcomes |= _known([post for key, post in firsts.items() if key not in known and facts.is_slow(post.session_id)])
    accepted: dict[UUID, dict[Key, ChatMessage]] = defaultdict(dict)
    refused: list[Post] = []
    for key in dict.fromkeys(keys):
        if key in outcomes:
            continue
        try:
            message = _checked(firsts[key], facts)
        except DomainError as error:
            outcomes[key] = error
            refused.append(firsts[key])
        else:
            accepted[message.session_id][key] = message
    stored = _store(accepted, take, now=facts.now)
    for session_id, messages in accepted.items():
        outcomes |= messages if session_id in stored else dict.fromkeys(messages)
    outcomes |= _known(refused)  # a stored message is returned again, despite any later change
    return [outcomes[key] for key in keys]


def _known(posts: Sequence[Post]) -> dict[Key, ChatMessage]:
    """Return the messages among these that are already stored."""
    if not posts:
        return {}
    rows = ChatMessage.objects.filter(
        session_id__in={post.session_id for post in posts},
        user_id__in={post.actor.user_id for post in posts if post.actor.user_id},
        client_id__in={post.client_id for post in posts},
    )
    return {(row.session_id, row.user_id, row.client_id): row for row in rows}


def _facts(posts: Sequence[Post]) -> Facts:
    now = timezone.now()
    senders = {(post.session_id, post.actor.user_id): post.actor for post in posts if post.actor.user_id}
    ids = {post.session_id for post in posts}
    rooms = {room.pk: room for room in StreamSession.objects.select_related("settings").filter(pk__in=ids)}
    replies = {post.reply_to for post in posts if post.reply_to}
    replied = ChatMessage.objects.filter(pk__in=replies).values_list("pk", "session_id") if replies else ()
    return Facts(
        now=now,
        rooms=rooms,
        standings=standings_of(actors=senders),
        replied=dict(replied),
    )


def _checked(post: Post, facts: Facts) -> ChatMessage:
    """Return the message for storage, without its number. Raises DomainError if it is not allowed."""
    user_id = post.actor.user_id
    if user_id is None:
        raise NotAuthenticated()
    session = facts.rooms.get(post.session_id)
    if session is None:
        raise Missing("session.missing", "Show not found.")
    standing = facts.standings.get((post.session_id, user_id), NO_STANDING)
    require_view_as(standing=standing, actor=post.actor, session=session)
    _require_may_write(post=post, session=session, standing=standing)
    content = text_clean(post.text)
    if post.reply_to is not None and facts.replied.get(post.reply_to) != post.session_id:
        raise Missing("chat.no_such_message", "The message you're replying to isn't in this chat.")
    _slow_down(session=session, standing=standing, user_id=user_id, client_id=post.client_id)
    return ChatMessage(
        session_id=post.session_id,
        client_id=post.client_id,
        user_id=user_id,
        username=post.actor.username,
        display_name=post.actor.display_name,
        role=_shown_role(standing),
        content=content,
        message_type=post.message_type,
        reply_to_id=post.reply_to,
        created_at=facts.now,
    )


def _store(accepted: Mapping[UUID, Mapping[Key, ChatMessage]], take: Take, *, now: datetime) -> set[UUID]:
    """Number and insert the messages of all rooms whose numbers can be taken. Return these rooms."""
    if not accepted:
        return set()
    with transaction.atomic():
        numbers = take({session_id: len(messages) for session_id, messages in accepted.items()})
        rows = []
        for session_id in sorted(numbers):
            for number, message in zip(numbers[session_id], accepted[session_id].values(), strict=True):
                message.seq = number
                rows.append(message)
        ChatMessage.objects.bulk_create(rows)
        for message in rows:
            data = message_payload(message)
            publish(ChatMessagePosted(session_id=message.session_id, at=now, seq=message.seq, data=data))
    return set(numbers)


def _shown_role(standing: Standing) -> str:
    if standing.role in (None, "viewer") and standing.moderates:
        return "moderator"
    return str(standing.role or "viewer")


def _require_may_write(*, post: Post, session: StreamSession, standing: Standing) -> None:
    if session.state in OVER:
        raise Conflict("session.ended", "This show has ended and its chat is closed.")
    if post.message_type not in WRITABLE:
        raise Invalid("chat.bad_type", "You can't post that type of message.")
    if post.message_type != MessageType.USER and not (standing.is_host or post.actor.is_staff):
        raise Denied("chat.type_not_allowed", "Only the host and site staff can post notices.")
    if not session.settings.enable_chat and not standing.can_moderate:
        raise Denied("chat.disabled", "The host turned off the chat.")


def _slow_down(*, session: StreamSession, standing: Standing, user_id: UUID, client_id: str) -> None:
    seconds = session.settings.slow_mode_seconds
    if not seconds or standing.can_moderate:
        return
    # The wait belongs to one message: repeating it after a missing reply does not count as a second one.
    name = f"slow:{session.pk.hex}:{user_id.hex}"
    try:
        too_soon = not cache.add(name, client_id, timeout=seconds) and cache.get(name) != client_id
    except (RedisError, OSError) as error:
        # Without Redis, slow mode is not enforced. That is better than no chat.
        logger.warning("slow mode off, the cache does not answer error=%s", type(error).__name__)
        return
    if too_soon:
        raise TooMany("chat.slow_mode", f"Slow mode: one message every {seconds} seconds.", retry_after=seconds)
