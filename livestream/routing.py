"""Where the apps meet on the socket side: which operations, sections and background jobs a room has."""

from channels.routing import URLRouter
from django.urls import path

from accounts.socket_auth import SocketAuthentication
from chat import operations as chat_operations
from chat.selectors import chat_page, message_documents
from chat.writer import chat_writer
from livestream.realtime import runtime
from streams import operations as stream_operations
from streams.consumers import RoomConsumer
from streams.janitor import janitor
from streams.room import RoomParts
from streams.selectors import positions
from streams.services.media import viewers_record


class LiveConsumer(RoomConsumer):
    """The room socket with everything the product offers in a room."""

    operations = {**stream_operations.OPERATIONS, **chat_operations.OPERATIONS}
    parts = RoomParts(
        sections={"messages": lambda session_id: chat_page(session_id=session_id)},
        sources=(message_documents,),
    )


runtime.configure(runtime.Hooks(positions=positions, viewers_changed=viewers_record, background=(janitor, chat_writer)))

websocket_application = SocketAuthentication(URLRouter([path("ws/live/<uuid:session_id>/", LiveConsumer.as_asgi())]))
