"""The room's sequence: who writes a durable event takes its number here, inside the same transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from livestream.errors import Missing
from streams.models import SessionEvent, StreamSession


def seqs_take(*, session_id: UUID, count: int = 1) -> range:
    """The next `count` sequence numbers of a session.

    Locks the session row until the transaction ends, so numbers are given, and become visible, in one order and
    without holes. Raises Missing.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("sequence numbers are taken inside a transaction")
    pk_field = StreamSession._meta.pk
    key = pk_field.get_db_prep_value(session_id, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE streams_streamsession SET head_seq = head_seq + %s WHERE id = %s RETURNING head_seq",
            [count, key],
        )
        row = cursor.fetchone()
    if row is None:
        raise Missing("session.missing", "There is no such show.")
    return range(row[0] - count + 1, row[0] + 1)


def event_record(*, session_id: UUID, wire_name: str, data: dict[str, Any], now: datetime) -> int:
    """Store a durable event other than a chat message; its sequence number."""
    seq = seqs_take(session_id=session_id)[0]
    SessionEvent.objects.create(session_id=session_id, seq=seq, type=wire_name, data=data, created_at=now)
    return seq
