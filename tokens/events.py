"""Events for holders of media tokens."""

from typing import ClassVar

from livestream.events import Event


class TokenExpiring(Event):
    """A media token expires soon; sent to its holder only, who should request another one."""

    wire_name: ClassVar[str] = "token.expiring"
