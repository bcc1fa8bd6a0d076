"""Send one published stream to viewers with a separate sequence numbering for each.

Shared streams (`slot`) are cheaper; this is for viewers that may be switched to another layer or participant
mid-stream. The cost per viewer and packet is one header, one encryption and one send. A viewer's numbering is a set of
offsets that changes only on a switch, so there are no per-packet counters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pylibsrtp import Error as SrtpError

from media_node.stats import Stats
from media_node.wire.extensions import send_time
from media_node.wire.keyframes import keyframe_detector
from media_node.wire.nack import CachedPacket, PacketCache
from media_node.wire.picture_ids import PictureIds, picture_ids, with_shifted_ids
from media_node.wire.rtcp import SenderReport
from media_node.wire.rtp import RtpPacket, header_pack
from media_node.wire.sdp import Codec

if TYPE_CHECKING:
    from media_node.forwarding.feed import Entry, Feed
    from media_node.wire.parameter_sets import ParameterSets

# A viewer without video waits this long for a key frame and then starts at any packet.
KEYFRAME_PATIENCE_SECONDS = 3.0


class Fanout:
    """The receivers of one stream and its current position. Numbers are extended sequence numbers of the source."""

    __slots__ = (
        "_cache",
        "_entries",
        "_feeds",
        "_generation",
        "_has_ids",
        "_is_start",
        "_sets",
        "_stats",
        "_waiting",
        "clock_rate",
        "codec",
        "highest",
        "last_at",
        "last_ids",
        "last_timestamp",
        "report",
    )

    def __init__(self, *, codec: Codec, stats: Stats, sets: ParameterSets | None = None) -> None:
        self.codec = codec.name
        self.clock_rate = codec.clock_rate
        self.highest = 0
        self.last_timestamp = 0
        self.last_at = 0.0
        self.last_ids: PictureIds | None = None
        self.report: tuple[SenderReport, int] | None = None
        self._has_ids = codec.name == "VP8"
        self._is_start = keyframe_detector(codec.name)
        self._stats = stats
        self._sets = sets
        self._cache: PacketCache | None = None
        self._generation = 0
        self._feeds: list[Feed] = []
        self._waiting: dict[Feed, float] = {}
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._feeds)

    @property
    def is_awaited(self) -> bool:
        """Whether a feed is waiting for a key frame."""
        return bool(self._waiting)

    @property
    def feeds(self) -> Iterable[Feed]:
        """The feeds that receive this stream or wait for it."""
        return [*self._feeds, *self._waiting]

    def admit(self, feed: Feed, *, now: float) -> None:
        """Send to this feed from the next key frame on. Until then it keeps its current source."""
        self._waiting.setdefault(feed, now)

    def dismiss(self, feed: Feed) -> None:
        """Stop sending to this feed and remove it from the waiting feeds."""
        self._waiting.pop(feed, None)
        if feed in self._feeds:
            self._feeds.remove(feed)
            self.regroup()

    def regroup(self) -> None:
        """Rebuild the send list after a feed was added, removed, or moved to another address."""
        self._entries = [entry for feed in self._feeds if (entry := feed.entry()) is not None]

    def ids_of(self, payload: bytes) -> PictureIds | None:
        """Return the packet's picture IDs, or None if the codec has none."""
        return picture_ids(payload) if self._has_ids else None

    def cached(self, sequence: int) -> CachedPacket | None:
        """Return a recently sent packet by the source's sequence number."""
        return self._cache.get(sequence) if self._cache is not None else None

    def forward(self, packet: RtpPacket, *, number: int, generation: int, now: float) -> None:
        """Send one packet of the source to all feeds."""
        if generation != self._generation:
            self._restart(generation, now=now)
        if not self._feeds and not self._waiting:
            return
        payload = packet.payload
        if self._waiting:
            self._start_waiting(packet, number=number, now=now)
        if not self._feeds:
            return
        timestamp, marker = packet.timestamp, packet.marker
        ids = picture_ids(payload) if self._has_ids else None
        if number > self.highest:
            self.highest = number
            self.last_timestamp, self.last_at = timestamp, now
            if ids is not None:
                self.last_ids = ids
        if self._cache is None:
            self._cache = PacketCache()
        self._cache.put((packet.sequence, marker, timestamp, payload))
        self._send(payload, ids, number=number, timestamp=timestamp, marker=marker, now=now)

    def _send(
        self, payload: bytes, ids: PictureIds | None, *, number: int, timestamp: int, marker: int, now: float
    ) -> None:
        clock = send_time(now)
        bodies: dict[tuple[bytes, int, int], bytes] = {}
        sent = failed = 0
        for variant, floor, first, kind, shift, time_shift, ssrc, protect, send, address in self._entries:
            if number < floor:
                continue
            body = bodies.get(variant)
            if body is None:
                body = bodies[variant] = body_of(payload, ids, variant=variant, clock=clock)
            sequence, time = (number + shift) & 0xFFFF, (timestamp + time_shift) & 0xFFFFFFFF
            sent += 1
            try:
                send(protect(header_pack(first, marker | kind, sequence, time, ssrc) + body), address)
            except (OSError, SrtpError):
                failed += 1
        stats = self._stats
        stats.packets_sent += sent - failed
        stats.bytes_sent += (sent - failed) * (len(payload) + 12)
        stats.packets_failed += failed

    def send_report(self, report: SenderReport, *, clock_shift: int) -> None:
        """Forward a sender report to all feeds, each in its own numbering."""
        self.report = (report, clock_shift)
        for feed in self._feeds:
            feed.send_report(report, clock_shift=clock_shift)

    def _start_waiting(self, packet: RtpPacket, *, number: int, now: float) -> None:
        if self._feeds and number <= self.highest:
            return
        is_start = self._is_start(packet.payload)
        ready = [
            feed
            for feed, since in self._waiting.items()
            if is_start or (feed.is_dark and packet.payload and now - since > KEYFRAME_PATIENCE_SECONDS)
        ]
        if not ready:
            return
        if not self._feeds:
            self.highest, self.last_ids = number - 1, None
        opening = self._sets.opening(packet.payload) if self._sets is not None and is_start else b""
        for feed in ready:
            del self._waiting[feed]
            feed.begin(self, packet, number=number, opening=opening, now=now)
            self._feeds.append(feed)
        self.regroup()

    def _restart(self, generation: int, *, now: float) -> None:
        """Make all feeds wait for a key frame after the source restarted its numbering."""
        for feed in list(self._feeds):
            feed.pause()
            self.admit(feed, now=now)
        self._generation, self._cache, self.report, self.last_ids = generation, None, None, None


def body_of(payload: bytes, ids: PictureIds | None, *, variant: tuple[bytes, int, int], clock: bytes) -> bytes:
    """Return the packet after its header: the abs-send-time extension if negotiated, and the payload with shifted
    picture IDs."""
    head, picture_shift, base_shift = variant
    if ids is not None and (picture_shift or base_shift):
        payload = with_shifted_ids(payload, ids, picture_shift=picture_shift, base_shift=base_shift)
    return head + clock + payload if head else payload
