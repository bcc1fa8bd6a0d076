"""What holders of media tokens are told."""

from typing import ClassVar

from livestream.events import Event


class TokenExpiring(Event):
    """A media token is about to run out; to its holder alone. Ask for another one."""

    wire_name: ClassVar[str] = "token.expiring"
