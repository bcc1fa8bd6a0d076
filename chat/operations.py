"""The room socket's operations on the chat."""

from typing import Any
from uuid import UUID

from chat.posting import Post
from chat.selectors import chat_page
from chat.serializers import MessagePost, MessageRef, PageOfMessages, ReadPosition
from chat.services import message_remove, read_mark
from chat.writer import post_soon
from livestream.realtime.consumer import Operation
from streams.room import Place


async def do_send(place: Place, **message: Any) -> dict[str, Any]:
    """Say something; answered once it is stored for good."""
    posted = await post_soon(Post(session_id=place.session_id, actor=place.actor, **message))
    return {"id": str(posted.pk), "seq": posted.seq}


def do_delete(place: Place, *, id: UUID) -> dict[str, Any]:
    """Take a message away."""
    removed = message_remove(message_id=id, session_id=place.session_id, actor=place.actor)
    return {"id": str(removed.pk)}


def do_read(place: Place, *, seq: int) -> dict[str, Any]:
    """Note up to where the reader is."""
    return {"seq": read_mark(session_id=place.session_id, actor=place.actor, seq=seq)}


def do_history(place: Place, **page: Any) -> dict[str, Any]:
    """A page of messages."""
    return {"messages": chat_page(session_id=place.session_id, **page)}


OPERATIONS: dict[str, Operation[Place]] = {
    "chat.send": Operation(run_async=do_send, takes=MessagePost),
    "chat.delete": Operation(do_delete, MessageRef),
    "chat.read": Operation(do_read, ReadPosition),
    "chat.history": Operation(do_history, PageOfMessages),
}
