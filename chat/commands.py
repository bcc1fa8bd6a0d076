"""Commands of the room socket for the chat."""

from typing import Any
from uuid import UUID

from chat.posting import Post
from chat.read_markers import kept_for, note
from chat.selectors import chat_page
from chat.serializers import MessagePost, MessageRef, PageOfMessages, ReadPosition, usual_post
from chat.services import message_remove
from chat.writer import post_soon
from livestream.actors import require_signed_in
from livestream.realtime import runtime
from livestream.realtime.consumer import CommandHandler
from livestream.realtime.groups import room_group
from streams.permissions import require_view
from streams.room_snapshot import RoomContext
from streams.selectors import session_get


async def do_send(context: RoomContext, **message: Any) -> dict[str, Any]:
    """Post a message. The reply is sent once it is committed."""
    posted = await post_soon(Post(session_id=context.session_id, actor=context.actor, **message))
    return {"id": str(posted.pk), "seq": posted.seq}


def do_delete(context: RoomContext, *, id: UUID) -> dict[str, Any]:
    """Remove a message."""
    removed = message_remove(message_id=id, session_id=context.session_id, actor=context.actor)
    return {"id": str(removed.pk)}


async def do_read(context: RoomContext, *, seq: int) -> dict[str, Any]:
    """Note the read position. It is written a moment later, together with others."""
    user_id = require_signed_in(context.actor)
    running = runtime.current()
    seq = min(seq, running.hub.log_of(room_group(context.session_id)).last or 0)
    kept = kept_for(running.audience.last_count(context.session_id))
    if kept:
        seq = note(session_id=context.session_id, user_id=user_id, seq=seq)
    return {"seq": seq, "kept": kept}


def do_history(context: RoomContext, **page: Any) -> dict[str, Any]:
    """Return a page of messages."""
    require_view(actor=context.actor, session=session_get(context.session_id))
    return {"messages": chat_page(session_id=context.session_id, **page)}


COMMANDS: dict[str, CommandHandler[RoomContext]] = {
    "chat.send": CommandHandler(run_async=do_send, takes=MessagePost, usual=usual_post),
    "chat.delete": CommandHandler(do_delete, MessageRef),
    "chat.read": CommandHandler(run_async=do_read, takes=ReadPosition),
    "chat.history": CommandHandler(do_history, PageOfMessages),
}
