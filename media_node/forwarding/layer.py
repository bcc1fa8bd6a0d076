"""One RTP stream of a published track: the only one, or one of several simulcast layers (RFC 8853)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media_node.forwarding.fanout import Fanout
from media_node.forwarding.receive_stats import Reception
from media_node.stats import Stats
from media_node.wire.dimensions import Dimensions, dimensions_reader
from media_node.wire.parameter_sets import ParameterSets
from media_node.wire.rtp import RtpPacket
from media_node.wire.sdp import H264, Codec

if TYPE_CHECKING:
    from media_node.forwarding.slot import Slot

KEYFRAME_INTERVAL_SECONDS = 0.5
# A layer without packets for this long is off: browsers stop the largest layers when their uplink is poor.
PAUSED_SECONDS = 1.0
_RATE_SMOOTHING = 0.5


class Encoding:
    """One received RTP stream. `slots` are the shared streams it feeds, `fanout` sends it to viewers individually.

    `rid` is empty unless the offer names its layers. `rate` is in bits per second over the last second.
    """

    __slots__ = (
        "_dimensions_of",
        "_keyframe_asked_at",
        "_keyframe_due",
        "_measured_at",
        "_measured_bytes",
        "_sets",
        "bytes",
        "clock_rate",
        "declared",
        "dimensions",
        "fanout",
        "heard_at",
        "is_video",
        "packets",
        "rate",
        "reception",
        "repair_ssrc",
        "rid",
        "slots",
        "ssrc",
    )

    def __init__(
        self,
        *,
        codec: Codec,
        is_video: bool,
        stats: Stats,
        parameters: str = "",
        rid: str = "",
        ssrc: int | None = None,
        repair_ssrc: int | None = None,
    ) -> None:
        self.rid = rid
        self.ssrc = ssrc
        self.repair_ssrc = repair_ssrc
        self.declared = ssrc is not None
        self.is_video = is_video
        self.clock_rate = codec.clock_rate
        self.reception = Reception(clock_rate=codec.clock_rate)
        self.slots: tuple[Slot, ...] = ()
        self._sets = ParameterSets(parameters=parameters) if codec == H264 else None
        self.fanout = Fanout(codec=codec, stats=stats, sets=self._sets)
        self.dimensions: Dimensions | None = None
        self.heard_at = float("-inf")
        self.packets = 0
        self.bytes = 0
        self.rate = 0.0
        self._dimensions_of = dimensions_reader(codec.name)
        self._measured_at: float | None = None
        self._measured_bytes = 0
        self._keyframe_asked_at = float("-inf")
        self._keyframe_due = False

    def take(self, packet: RtpPacket, *, number: int, now: float) -> None:
        """Count one new packet and forward it to all receivers of this stream."""
        self.packets += 1
        self.bytes += len(packet.payload)
        self.heard_at = now
        if self._sets is not None:
            self._sets.note(packet.payload)
        for slot in self.slots:
            slot.forward(self, packet, number=number, now=now)
        if self.is_video:
            found = self._dimensions_of(packet.payload)
            if found is not None:
                self.dimensions = found
            self.fanout.forward(packet, number=number, generation=self.reception.tracker.generation, now=now)

    def opening(self, payload: bytes) -> bytes:
        """Return the parameter sets missing from a key frame that starts with this packet, or b""."""
        return self._sets.opening(payload) if self._sets is not None else b""

    def is_flowing(self, now: float) -> bool:
        """Return whether packets are arriving."""
        return now - self.heard_at < PAUSED_SECONDS

    def measure(self, now: float) -> None:
        """Update the bit rate. Called every second."""
        if self._measured_at is not None and now > self._measured_at:
            rate = (self.bytes - self._measured_bytes) * 8 / (now - self._measured_at)
            is_new = self.rate == 0.0 or rate == 0.0
            self.rate = rate if is_new else self.rate + (rate - self.rate) * _RATE_SMOOTHING
        self._measured_at, self._measured_bytes = now, self.bytes

    def want_keyframe(self) -> None:
        """Request a key frame. Requests are merged into one."""
        self._keyframe_due = self.is_video

    def take_keyframe_request(self, *, now: float) -> bool:
        """Return whether to send a key frame request to the publisher now: at most one every half second. Requests are
        deferred, not dropped."""
        if not (self._keyframe_due or self.fanout.is_awaited):
            return False
        if now - self._keyframe_asked_at < KEYFRAME_INTERVAL_SECONDS:
            return False
        self._keyframe_due, self._keyframe_asked_at = False, now
        return True

    def adopt(self, ssrc: int) -> None:
        """Use an SSRC that the offer did not announce. Replacing another SSRC restarts the sequence numbering."""
        if self.ssrc is not None:
            generation = self.reception.tracker.generation
            self.reception = Reception(clock_rate=self.clock_rate)
            self.reception.tracker.generation = generation + 1
        self.ssrc = ssrc
