"""What happens in a session, as its room hears it."""

from typing import ClassVar

from livestream.events import Event


class SessionChanged(Event):
    """The state changed. Durable."""

    wire_name: ClassVar[str] = "session.changed"


class SettingsChanged(Event):
    """The host changed the title, the description or a setting. Durable."""

    wire_name: ClassVar[str] = "settings.changed"


class HostLost(Event):
    """The host's media is away; `until` says when the session ends if it stays away."""

    wire_name: ClassVar[str] = "host.lost"


class HostBack(Event):
    """The host's media is there (again)."""

    wire_name: ClassVar[str] = "host.back"
