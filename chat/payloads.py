"""Messages as primitives, the same over HTTP and over the socket."""

from typing import Any

from chat.models import ChatMessage
from streams.payloads import instant


def message_payload(message: ChatMessage) -> dict[str, Any]:
    """A message as everybody sees it; the text of a removed one is gone. Needs nothing else loaded."""
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
    """The `chat.message` event of a message."""
    return {
        "type": "chat.message",
        "seq": message.seq,
        "ts": instant(message.created_at),
        "data": message_payload(message),
    }
