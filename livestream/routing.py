"""Where the apps meet on the socket side: which operations, sections and background jobs a room has."""

from functools import partial

from channels.routing import URLRouter
from django.urls import path

from accounts.socket_auth import SocketAuthentication
from chat import operations as chat_operations
from chat.reading import read_writer, reading_of
from chat.selectors import chat_page, message_documents
from chat.writer import chat_writer
from livestream.realtime import runtime
from livestream.realtime.consumer import Operation
from streams import operations as stream_operations
from streams.consumers import RoomConsumer, do_sync
from streams.janitor import janitor
from streams.room import RoomParts
from streams.selectors import positions
from streams.services.media import viewers_record
from streams.shared_rooms import SharedRooms

PARTS = RoomParts(
    sections={"messages": lambda session_id, head: chat_page(session_id=session_id, before=head + 1)},
    sources=(message_documents,),
    personal={"read": reading_of},
)


class LiveConsumer(RoomConsumer):
    """The room socket with everything the product offers in a room."""

    rooms = SharedRooms(PARTS)
    operations = {
        **stream_operations.OPERATIONS,
        **chat_operations.OPERATIONS,
        "sync": Operation(run_async=partial(do_sync, rooms), takes=stream_operations.Position),
    }


runtime.configure(
    runtime.Hooks(
        positions=positions,
        events=PARTS.events,
        viewers_changed=viewers_record,
        background=(janitor, chat_writer, read_writer),
    )
)

websocket_application = SocketAuthentication(URLRouter([path("ws/live/<uuid:session_id>/", LiveConsumer.as_asgi())]))
