"""The room's sequence. Each durable event takes its number here, in its own transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connection, transaction

from livestream.errors import Conflict, Missing
from streams.models import SessionEvent, StreamSession

# Longer than another process needs to write a row it holds, shorter than people notice.
PROMPT_MILLISECONDS = 50
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's lock_not_available


def seqs_take(*, session_id: UUID, count: int = 1) -> range:
    """Take the next `count` sequence numbers of a session.

    Locks the session row until the transaction ends, so numbers are assigned, and become visible, in one order and
    without gaps. Raises Missing.
    """
    head = _advance(session_id, count, "")
    if head is None:
        raise Missing("session.missing", "Show not found.")
    return range(head - count + 1, head + 1)


def seqs_take_while_open(counts: Mapping[UUID, int]) -> dict[UUID, range]:
    """Take numbers for several open sessions. Their rows are locked, so none ends before the transaction does.

    Always in the same order, to avoid deadlocks. Raises Conflict if a session is over or deleted.
    """
    taken = {}
    for session_id in sorted(counts):
        head = _advance(session_id, counts[session_id], " AND state IN ('initializing', 'active', 'paused')")
        if head is None:
            raise Conflict("session.ended", "This show has ended and its chat is closed.")
        taken[session_id] = range(head - counts[session_id] + 1, head + 1)
    return taken


def seqs_take_promptly(counts: Mapping[UUID, int]) -> dict[UUID, range]:
    """Like `seqs_take_while_open`, but this transaction waits only briefly for locks: see `is_lock_timeout`."""
    if connection.vendor == "postgresql":  # SQLite has one lock for everything, so no session could go first
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {PROMPT_MILLISECONDS}")
    return seqs_take_while_open(counts)


def seqs_take_unheld(counts: Mapping[UUID, int]) -> dict[UUID, range]:
    """Like `seqs_take_promptly`, without sessions whose rows are locked by another transaction, or deleted."""
    rows = StreamSession.objects.select_for_update(skip_locked=True, no_key=True).filter(pk__in=counts)
    return seqs_take_promptly({session_id: counts[session_id] for session_id in rows.values_list("pk", flat=True)})


def is_lock_timeout(error: DatabaseError) -> bool:
    """Return whether a statement failed because it waited too long for another transaction."""
    return getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE


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
    """Store a durable event other than a chat message and return its sequence number."""
    seq = seqs_take(session_id=session_id)[0]
    SessionEvent.objects.create(session_id=session_id, seq=seq, type=wire_name, data=data, created_at=now)
    return seq
