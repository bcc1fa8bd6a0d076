"""Events of a room's chat."""

from typing import ClassVar

from livestream.events import Event


class ChatMessagePosted(Event):
    """A message was posted. Durable; its seq is that of the message."""

    wire_name: ClassVar[str] = "chat.message"


class ChatMessageRemoved(Event):
    """A message was removed. Durable."""

    wire_name: ClassVar[str] = "chat.removed"
    revokes: ClassVar[bool] = True
