"""Events reported by providers, in a common form."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

# The uid of the encoder at providers without participants.
HOST_UID = "host"


class EventKind(StrEnum):
    """The kind of an event in a provider's room."""

    JOINED = "joined"
    PUBLISHING = "publishing"
    STOPPED = "stopped"
    LEFT = "left"
    ENDED = "ended"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class MediaEvent:
    """An event in a channel; `uid` is empty if it concerns no single participant.

    `publishes` is whether the participant may send, or None if the provider does not say.
    """

    id: str
    type: str
    kind: EventKind
    channel_id: str
    uid: str
    at: datetime
    publishes: bool | None = None

    def payload(self) -> dict[str, Any]:
        """Return the event as primitives, for storage."""
        return {
            "type": self.type,
            "kind": self.kind.value,
            "channel_id": self.channel_id,
            "uid": self.uid,
            "at": self.at.isoformat(),
            "publishes": self.publishes,
        }
