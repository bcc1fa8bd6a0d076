"""Stage slots: the participant of each received track, as reported by the media node."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from livestream.errors import Invalid
from livestream.events import publish
from streams.events import StageSlots
from streams.models import StreamSession
from streams.state import OPEN

TABLES = {"stage": ("index", "user", "source"), "speakers": ("index", "user", "source"), "audio": ("index", "user")}
SOURCES = ("camera", "screen")
ENTRIES_AT_MOST = 64


def slots_note(*, session_id: UUID, data: Any) -> bool:
    """Store a room's tables and publish them. Return False for tables older than the stored ones, and for a show that
    is over or moved elsewhere.

    `v` grows within one `epoch` of the node. Another epoch is another process of the node, whose tables are always
    newer: reports of the old process were delivered earlier, or never will be.
    """
    slots = _checked(data)
    with transaction.atomic():
        rows = StreamSession.objects.select_for_update(no_key=True)
        session = rows.filter(pk=session_id, provider="builtin", state__in=OPEN).first()
        if session is None:
            return False
        known = session.stage_slots
        if known.get("epoch") == slots["epoch"] and known.get("v", 0) >= slots["v"]:
            return False
        StreamSession.objects.filter(pk=session_id).update(stage_slots=slots)
        publish(StageSlots(session_id=session_id, at=timezone.now(), data=slots))
    return True


def _checked(data: Any) -> dict[str, Any]:
    """Return the tables, reduced to the protocol's fields. Raises Invalid."""
    if not isinstance(data, dict) or not isinstance(data.get("v"), int) or not isinstance(data.get("epoch"), str):
        raise Invalid("webhook.bad_shape", "The slots have no version.")
    return {"v": data["v"], "epoch": data["epoch"][:64]} | {
        name: _table(data.get(name, []), fields) for name, fields in TABLES.items()
    }


def _table(rows: Any, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or len(rows) > ENTRIES_AT_MOST:
        raise Invalid("webhook.bad_shape", "A table of slots is a short list.")
    for row in rows:
        good = isinstance(row, dict) and isinstance(row.get("index"), int) and isinstance(row.get("user"), str)
        if not good or ("source" in fields and row.get("source") not in SOURCES):
            raise Invalid("webhook.bad_shape", "A slot has an index, a user and a source.")
    return [{name: row[name] for name in fields} for row in rows]
