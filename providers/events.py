"""Events that providers report, in the product's own terms."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

# The uid of the encoder at providers without participants of their own.
HOST_UID = "host"


class EventKind(StrEnum):
    """What happened in a provider's room."""

    JOINED = "joined"
    PUBLISHING = "publishing"
    STOPPED = "stopped"
    LEFT = "left"
    ENDED = "ended"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class MediaEvent:
    """One thing that happened in a channel at a moment; `uid` is empty where it concerns no single participant.

    `publishes` says whether the person may send; None where the provider does not tell.
    """

    id: str
    type: str
    kind: EventKind
    channel_id: str
    uid: str
    at: datetime
    publishes: bool | None = None

    def payload(self) -> dict[str, Any]:
        """As primitives, to keep."""
        return {
            "type": self.type,
            "kind": self.kind.value,
            "channel_id": self.channel_id,
            "uid": self.uid,
            "at": self.at.isoformat(),
            "publishes": self.publishes,
        }
