"""Queries of the chat."""

from typing import Any
from uuid import UUID

from chat.models import ChatMessage
from chat.payloads import message_document, message_payload

SNAPSHOT_MESSAGES = 50
PAGE_LIMIT = 100


def chat_page(
    *, session_id: UUID, before: int | None = None, after: int | None = None, limit: int = SNAPSHOT_MESSAGES
) -> list[dict[str, Any]]:
    """Return a page of messages by sequence number, oldest first: the last ones, those before, or those after a
    number."""
    rows = ChatMessage.objects.filter(session_id=session_id)
    limit = max(1, min(limit, PAGE_LIMIT))
    if before is not None:
        rows = rows.filter(seq__lt=before)
    if after is not None:
        rows = rows.filter(seq__gt=after)
    if after is not None and before is None:
        found = list(rows.order_by("seq")[:limit])
    else:
        found = list(rows.order_by("-seq")[:limit])[::-1]
    return [message_payload(message) for message in found]


def message_documents(session_id: UUID, after: int, up_to: int) -> list[dict[str, Any]]:
    """Return the `chat.message` events of a range of the room's sequence."""
    rows = ChatMessage.objects.filter(session_id=session_id, seq__gt=after, seq__lte=up_to).order_by("seq")
    return [message_document(message) for message in rows]
