"""Read positions: noted in memory, written together every few seconds, and off in very large rooms."""

import asyncio
import logging
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import Error as DatabaseError
from django.db import connection

from chat.models import ChatMessage, ReadMarker
from livestream.database import in_database
from streams.models import StreamSession

FLUSH_SECONDS = 2.0
UNREAD_LIMIT = 100

logger = logging.getLogger(__name__)
Marks = dict[tuple[UUID, UUID], int]

_noted: Marks = {}


def note(*, session_id: UUID, user_id: UUID, seq: int) -> int:
    """Note a position until the next flush, and return the current one. It never moves back. Called from the event
    loop."""
    key = session_id, user_id
    _noted[key] = max(seq, _noted.get(key, 0))
    return _noted[key]


def kept_for(audience: int) -> bool:
    """Return whether positions are stored in a room of this size. In a crowd few read everything, and all of them
    would write."""
    return audience <= settings.READ_MARKERS_MAX_AUDIENCE


async def read_writer() -> None:
    """Write noted positions until cancelled. Failed ones are retried."""
    try:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await _flush()
    finally:
        await asyncio.shield(_flush())


async def _flush() -> None:
    if not _noted:
        return
    marks = dict(_noted)
    try:
        await in_database(reads_write, marks)
    except DatabaseError as error:
        logger.warning("read positions not written count=%d error=%s", len(marks), type(error).__name__)
        return
    # Kept until they are committed, so that a returning reader gets their position from here.
    for key, seq in marks.items():
        if _noted[key] == seq:
            del _noted[key]


def reads_write(marks: Marks) -> None:
    """Write many positions in one statement. None moves back, or past its room's last number."""
    heads = dict(
        StreamSession.objects.filter(pk__in={session_id for session_id, _ in marks}).values_list("pk", "head_seq")
    )
    convert = ReadMarker._meta.get_field("user").target_field.get_db_prep_value
    people = set(get_user_model().objects.filter(pk__in={user_id for _, user_id in marks}).values_list("pk", flat=True))
    rows = [
        [convert(session_id, connection), convert(user_id, connection), min(seq, heads[session_id])]
        for (session_id, user_id), seq in sorted(marks.items())
        if session_id in heads and user_id in people
    ]
    if not rows:
        return
    values = ", ".join(["(%s, %s, %s)"] * len(rows))
    statement = (
        f"INSERT INTO chat_readmarker (session_id, user_id, seq) VALUES {values}"  # noqa: S608 - placeholders only
        " ON CONFLICT (session_id, user_id) DO UPDATE SET seq = excluded.seq"
        " WHERE excluded.seq > chat_readmarker.seq"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for row in rows for value in row])


def readings_of(session_id: UUID, user_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Return people's read positions, and the number of later messages of others (counted up to UNREAD_LIMIT).

    Two queries, and one more for each person whose own messages fill the end of the room.
    """
    noted = {user_id: _noted.get((session_id, user_id), 0) for user_id in user_ids}  # before they are written
    stored = dict(ReadMarker.objects.filter(session_id=session_id, user_id__in=user_ids).values_list("user_id", "seq"))
    shown = ChatMessage.objects.filter(session_id=session_id, removed_at__isnull=True)
    newest = list(shown.order_by("-seq").values_list("seq", "user_id")[: 2 * UNREAD_LIMIT])
    readings = {}
    for user_id in user_ids:
        seq = max(stored.get(user_id, 0), noted[user_id])
        unread = sum(number > seq and author != user_id for number, author in newest)
        if unread < UNREAD_LIMIT and len(newest) == 2 * UNREAD_LIMIT and newest[-1][0] > seq:
            unread = shown.filter(seq__gt=seq).exclude(user_id=user_id)[:UNREAD_LIMIT].count()
        readings[user_id] = {"seq": seq, "unread": min(unread, UNREAD_LIMIT)}
    return readings
