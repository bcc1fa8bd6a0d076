"""Events of a session, as published to its room."""

from typing import ClassVar

from livestream.events import Event


class SessionChanged(Event):
    """The state changed. Durable."""

    wire_name: ClassVar[str] = "session.changed"


class SettingsChanged(Event):
    """The host changed the title, the description or a setting. Durable."""

    wire_name: ClassVar[str] = "settings.changed"


class HostLost(Event):
    """The host's media is lost. `until` is when the session ends unless it returns."""

    wire_name: ClassVar[str] = "host.lost"


class HostBack(Event):
    """The host's media arrives, for the first time or again."""

    wire_name: ClassVar[str] = "host.back"


class StageChanged(Event):
    """The stage changed: people, roles or flags. Durable; carries the whole stage."""

    wire_name: ClassVar[str] = "stage.changed"


class StageSlots(Event):
    """The participant of each received track."""

    wire_name: ClassVar[str] = "stage.slots"


class UnmuteAsked(Event):
    """A participant is asked to unmute; sent to them only."""

    wire_name: ClassVar[str] = "stage.unmute_asked"


class GuestRequested(Event):
    """A guest request was made; sent to the studio only."""

    wire_name: ClassVar[str] = "guest.requested"


class GuestInvited(Event):
    """A participant is invited on stage; sent to them only."""

    wire_name: ClassVar[str] = "guest.invited"


class StageInvited(Event):
    """An invitation was made; sent to the studio only."""

    wire_name: ClassVar[str] = "stage.invited"


class GuestResolved(Event):
    """A request or invitation was answered, cancelled or expired; sent to the studio and the person concerned."""

    wire_name: ClassVar[str] = "guest.resolved"


class QueueMoved(Event):
    """A requester moved up the queue; sent to them only."""

    wire_name: ClassVar[str] = "guest.moved"
