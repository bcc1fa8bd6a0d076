"""A published track: what one publisher sends of one kind, as it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.media.negotiation import Choice
from streams.media.reception import Reception

if TYPE_CHECKING:
    from streams.media.slot import Slot

KEYFRAME_INTERVAL_SECONDS = 0.5


class PublishedTrack:
    """Audio or video of one publication. `slot` is where it is forwarded to, None while it is nowhere."""

    __slots__ = (
        "_keyframe_asked_at",
        "_keyframe_due",
        "bytes",
        "choice",
        "declared",
        "kind",
        "packets",
        "reception",
        "repair_ssrc",
        "slot",
        "ssrc",
    )

    def __init__(self, *, kind: str, choice: Choice, ssrc: int | None = None, repair_ssrc: int | None = None) -> None:
        self.kind = kind
        self.choice = choice
        self.ssrc = ssrc
        self.repair_ssrc = repair_ssrc
        self.declared = ssrc is not None
        self.reception = Reception(clock_rate=choice.codec.clock_rate)
        self.slot: Slot | None = None
        self.packets = 0
        self.bytes = 0
        self._keyframe_asked_at = float("-inf")
        self._keyframe_due = False

    def want_keyframe(self) -> None:
        """Somebody cannot go on without a key frame. Many wishes become one request."""
        self._keyframe_due = self.kind == "video"

    def take_keyframe_request(self, *, now: float) -> bool:
        """Whether to ask the publisher now; at most every half second, and no wish is forgotten."""
        if not self._keyframe_due or now - self._keyframe_asked_at < KEYFRAME_INTERVAL_SECONDS:
            return False
        self._keyframe_due, self._keyframe_asked_at = False, now
        return True

    def adopt(self, ssrc: int) -> None:
        """Take a new stream of an undeclared sender for this track; its numbering starts anew."""
        generation = self.reception.tracker.generation
        self.reception = Reception(clock_rate=self.choice.codec.clock_rate)
        self.reception.tracker.generation = generation + 1
        self.ssrc = ssrc

    def summary(self) -> dict[str, object]:
        """For the control API."""
        return {"kind": self.kind, "codec": str(self.choice.codec), "packets": self.packets, "bytes": self.bytes}
