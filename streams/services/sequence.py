"""The room's sequence: who writes a durable event takes its number here, inside the same transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from livestream.errors import Conflict, Missing
from streams.models import SessionEvent, StreamSession


def seqs_take(*, session_id: UUID, count: int = 1) -> range:
    """The next `count` sequence numbers of a session.

    Locks the session row until the transaction ends, so numbers are given, and become visible, in one order and
    without holes. Raises Missing.
    """
    head = _advance(session_id, count, "")
    if head is None:
        raise Missing("session.missing", "There is no such show.")
    return range(head - count + 1, head + 1)


def seqs_take_while_open(*, session_id: UUID, count: int) -> range:
    """The same for a session that is not over; its row is locked, so it cannot end before the transaction does.

    Raises Conflict when it is over, or gone.
    """
    head = _advance(session_id, count, " AND state IN ('initializing', 'active', 'paused')")
    if head is None:
        raise Conflict("session.ended", "This show is over; its chat is closed.")
    return range(head - count + 1, head + 1)


def _advance(session_id: UUID, count: int, condition: str) -> int | None:
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("sequence numbers are taken inside a transaction")
    key = StreamSession._meta.pk.get_db_prep_value(session_id, connection)
    statement = (
        f"UPDATE streams_streamsession SET head_seq = head_seq + %s WHERE id = %s{condition}"  # noqa: S608 - our own text
        " RETURNING head_seq"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [count, key])
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def event_record(*, session_id: UUID, wire_name: str, data: dict[str, Any], now: datetime) -> int:
    """Store a durable event other than a chat message; its sequence number."""
    seq = seqs_take(session_id=session_id)[0]
    SessionEvent.objects.create(session_id=session_id, seq=seq, type=wire_name, data=data, created_at=now)
    return seq
