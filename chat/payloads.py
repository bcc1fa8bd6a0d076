"""Messages as primitives, the same over HTTP and the socket."""

from typing import Any

from chat.models import ChatMessage
from streams.payloads import instant


def message_payload(message: ChatMessage) -> dict[str, Any]:
    """Return a message as seen by everyone, without the text of a removed one. Needs no related rows."""
    removed = message.removed_at is not None
    user = None
    if message.user_id is not None:
        user = {
            "id": str(message.user_id),
            "username": message.username,
            "display_name": message.display_name,
            "role": message.role,
        }
    return {
        "id": str(message.pk),
        "seq": message.seq,
        "client_id": message.client_id,
        "user": user,
        "content": "" if removed else message.content,
        "message_type": message.message_type,
        "reply_to": str(message.reply_to_id) if message.reply_to_id else None,
        "created_at": instant(message.created_at),
        "removed": removed,
        "metadata": message.metadata,
    }


def message_document(message: ChatMessage) -> dict[str, Any]:
    """Return the `chat.message` event of a message."""
    return {
        "type": "chat.message",
        "seq": message.seq,
        "ts": instant(message.created_at),
        "data": message_payload(message),
    }
