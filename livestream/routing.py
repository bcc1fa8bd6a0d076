"""Composition of the apps on the room socket: its commands, snapshot sections and background jobs."""

from collections.abc import Coroutine
from functools import partial
from typing import Any

from accounts.socket_auth import SocketAuthentication
from chat import commands as chat_commands
from chat.read_markers import read_writer, readings_of
from chat.selectors import chat_page, message_documents
from chat.writer import chat_writer
from livestream.errors import Missing
from livestream.realtime import runtime
from livestream.realtime.consumer import CommandHandler
from livestream.realtime.handshake import refuse_handshake
from livestream.realtime.protocol import CloseCode
from livestream.realtime.socket_path import room_of
from streams.commands import session as session_commands
from streams.commands import stage as stage_commands
from streams.consumers import RoomConsumer, do_sync
from streams.janitor import janitor
from streams.room_snapshot import RoomParts
from streams.selectors import positions
from streams.services.people.viewers import viewers_left, viewers_record
from streams.snapshot_cache import SharedRooms
from tokens.expiry import tokens_expiring_notify, tokens_forget

PARTS = RoomParts(
    sections={"messages": lambda session_id, head: chat_page(session_id=session_id, before=head + 1)},
    sources=(message_documents,),
    personal={"read": readings_of},
)


class LiveConsumer(RoomConsumer):
    """The room socket with all features of a room."""

    rooms = SharedRooms(PARTS)
    commands = {
        **session_commands.COMMANDS,
        **stage_commands.COMMANDS,
        **chat_commands.COMMANDS,
        "sync": CommandHandler(run_async=partial(do_sync, rooms), takes=session_commands.Position, is_rare=True),
    }


runtime.configure(
    runtime.Hooks(
        positions=positions,
        events=PARTS.events,
        viewers_changed=viewers_record,
        viewers_left=viewers_left,
        background=(partial(janitor, (tokens_forget, tokens_expiring_notify)), chat_writer, read_writer),
    )
)


async def no_room(scope: Any, receive: Any, send: Any) -> None:
    """Reject an address without a room: 404 to the handshake, or a close if the server cannot respond to one."""
    if (await receive())["type"] != "websocket.connect":
        return
    if not await refuse_handshake(scope, send, Missing()):
        await send({"type": "websocket.close", "code": int(CloseCode.NO_SUCH_SESSION)})


def route(scope: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
    """Return the application of a socket. Not a coroutine itself, because every open socket would hold it."""
    session_id = room_of(scope)
    if session_id is None:
        return no_room(scope, receive, send)
    scope["url_route"] = {"kwargs": {"session_id": session_id}}
    return LiveConsumer()(scope, receive, send)


websocket_application = SocketAuthentication(route)
