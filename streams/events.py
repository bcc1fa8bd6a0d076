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


class StageChanged(Event):
    """Who is on stage, or their role or flags, changed. Durable; tells the whole stage."""

    wire_name: ClassVar[str] = "stage.changed"


class StageSlots(Event):
    """Which received track is whom."""

    wire_name: ClassVar[str] = "stage.slots"


class UnmuteAsked(Event):
    """Somebody asks a person to turn microphone or camera on; to that person alone."""

    wire_name: ClassVar[str] = "stage.unmute_asked"


class GuestRequested(Event):
    """A viewer asks to come on stage; to the host's desk alone."""

    wire_name: ClassVar[str] = "guest.requested"


class GuestInvited(Event):
    """A person is asked to come on stage; to that person alone."""

    wire_name: ClassVar[str] = "guest.invited"


class StageInvited(Event):
    """Somebody was asked to come on stage; to the host's desk alone."""

    wire_name: ClassVar[str] = "stage.invited"


class GuestResolved(Event):
    """A wish or an invitation was answered, taken back, or ran out; to the desk and the person concerned."""

    wire_name: ClassVar[str] = "guest.resolved"


class QueueMoved(Event):
    """Somebody who waits to come on stage has moved up; to that person alone."""

    wire_name: ClassVar[str] = "guest.moved"
