"""A viewer's video section: one stream for him, whatever layer of whomever it shows.

Sequence numbers, time stamps and picture ids go on without a break when the source changes, and the
change happens at a key frame, so the viewer's decoder notices nothing and nothing is negotiated anew.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

from pylibsrtp import Error as SrtpError

from media_node.forwarding.fanout import Fanout, body_of
from media_node.forwarding.slot import Protect, Send
from media_node.wire.extensions import send_time, send_time_head
from media_node.wire.picture_ids import PICTURE_MASK
from media_node.wire.rtcp import SenderReport, sender_report
from media_node.wire.rtp import RtpPacket, header_pack, rtx_payload
from media_node.wire.stun import Address

if TYPE_CHECKING:
    from media_node.forwarding.encoding import Encoding
    from media_node.forwarding.track import PublishedTrack

_LONG_HEADER, _PLAIN_HEADER = 0x90, 0x80

# variant (extension head, picture shift, base shift), floor, first header byte, payload type, sequence
# shift, time shift, ssrc, and how to send. A tuple, because it is read for every packet of every viewer.
Entry = tuple[tuple[bytes, int, int], int, int, int, int, int, int, Protect, Send, Address]


class Format(NamedTuple):
    """The viewer's payload types for a codec."""

    payload_type: int
    repair_type: int | None


class Segment(NamedTuple):
    """How one source's numbers became the viewer's, from output number `start` on. `opening` are parameter
    sets that were sent before it, at `time`."""

    fanout: Fanout
    start: int
    floor: int
    shift: int
    time_shift: int
    picture_shift: int
    base_shift: int
    format: Format
    opening: bytes
    time: int


class Position(NamedTuple):
    """The last packet sent, in the viewer's numbering. `picture` is None before the first id."""

    sequence: int
    timestamp: int
    at: float | None
    picture: int | None
    base: int


class Feed:
    """What one video section of one viewer receives. `track` is whom it shows, `encoding` which layer of
    him is sent; while another layer is awaited, `wanted` is that one."""

    __slots__ = (
        "_head",
        "_position",
        "_repair_sequence",
        "_segment",
        "address",
        "encoding",
        "formats",
        "index",
        "loss",
        "mid",
        "protect",
        "protect_rtcp",
        "repair_ssrc",
        "send",
        "ssrc",
        "track",
        "wanted",
    )

    def __init__(self, *, index: int, mid: str, formats: dict[str, Format], send_time_number: int | None) -> None:
        self.index = index
        self.mid = mid
        self.formats = formats
        self.ssrc = secrets.randbelow(2**32 - 1) + 1
        self.repair_ssrc = secrets.randbelow(2**32 - 1) + 1
        self.protect: Protect | None = None
        self.protect_rtcp: Protect | None = None
        self.send: Send | None = None
        self.address: Address | None = None
        self.track: PublishedTrack | None = None
        self.encoding: Encoding | None = None
        self.wanted: Encoding | None = None
        # Of the last interval reported, as a fraction.
        self.loss = 0.0
        self._head = send_time_head(send_time_number) if send_time_number is not None else b""
        # Starting low keeps the first wrap, at which a receiver that missed the first packets could
        # misjudge the rollover counter (RFC 3711 section 3.3.1), well away from the start.
        self._position = Position(secrets.randbelow(0x4000), secrets.randbits(32), None, None, 0)
        self._segment: Segment | None = None
        self._repair_sequence = secrets.randbelow(0x4000)

    @property
    def is_dark(self) -> bool:
        """Whether nothing is sent now."""
        return self._segment is None

    @property
    def has_send_time(self) -> bool:
        """Whether packets carry when they were sent."""
        return bool(self._head)

    def flowing(self, now: float) -> list[Encoding]:
        """The layers that could be shown, the lowest first; those that pause are left out."""
        if self.track is None:
            return []
        layers = self.track.encodings
        return [layer for layer in layers if layer.is_flowing(now)] or [self.encoding or layers[0]]

    def summary(self) -> dict[str, object]:
        """Which layer is sent now, and its size where known."""
        layer, track = self.encoding, self.track
        if self.is_dark or layer is None or track is None:
            return {"layer": None}
        size = layer.dimensions
        known = {"width": size.width, "height": size.height} if size is not None else {}
        return {"layer": track.layer_name(layer), **known}

    def can_show(self, track: PublishedTrack) -> bool:
        """Whether the viewer negotiated the track's codec."""
        return track.choice.codec.name in self.formats

    def follow(self, encoding: Encoding | None, *, now: float) -> None:
        """Show this layer as soon as it can start; None shows nothing, at once."""
        if encoding is None:
            self.cut()
            return
        if self.wanted is not None and self.wanted is not encoding:
            self.wanted.fanout.dismiss(self)
        if encoding is self.encoding:
            self.wanted = None
        elif self.wanted is not encoding:
            self.wanted = encoding
            encoding.fanout.admit(self, now=now)

    def cut(self) -> None:
        """Send nothing more; the next source continues the numbering."""
        self.pause()
        for encoding in (self.encoding, self.wanted):
            if encoding is not None:
                encoding.fanout.dismiss(self)
        self.encoding = self.wanted = None

    def pause(self) -> None:
        """Leave the source and remember where the stream stands."""
        self._position = self._standing()
        if self._segment is not None:
            fanout, self._segment = self._segment.fanout, None
            fanout.dismiss(self)

    def begin(self, fanout: Fanout, packet: RtpPacket, *, number: int, opening: bytes, now: float) -> None:
        """The fan-out starts to send to this feed, with this packet as the first, behind the opening if any."""
        self.pause()
        position = self._position
        elapsed = 0.0 if position.at is None else max(0.0, now - position.at)
        step = max(1, int(elapsed * fanout.clock_rate))
        start = (position.sequence + (2 if opening else 1)) & 0xFFFF
        time = (position.timestamp + step) & 0xFFFFFFFF
        ids, picture_shift, base_shift = fanout.ids_of(packet.payload), 0, 0
        if ids is not None and position.picture is not None:
            picture_shift = (position.picture + 1 - ids.picture) & PICTURE_MASK
            base_shift = (position.base + 1 - ids.base) & 0xFF if ids.base >= 0 else 0
        self._segment = Segment(
            fanout=fanout,
            start=start,
            floor=number,
            shift=(start - number) & 0xFFFF,
            time_shift=(time - packet.timestamp) & 0xFFFFFFFF,
            picture_shift=picture_shift,
            base_shift=base_shift,
            format=self.formats[fanout.codec],
            opening=opening,
            time=time,
        )
        if opening:
            self._send(opening, sequence=(start - 1) & 0xFFFF, timestamp=time, marker=0, is_repair=False, now=now)
        if self.wanted is not None and self.wanted.fanout is fanout:
            if self.encoding is not None:
                self.encoding.fanout.dismiss(self)
            self.encoding, self.wanted = self.wanted, None
        if fanout.report is not None:
            report, clock_shift = fanout.report
            self.send_report(report, clock_shift=clock_shift)

    def entry(self) -> Entry | None:
        """How the fan-out sends to this feed; None while it cannot."""
        segment = self._segment
        if segment is None or self.protect is None or self.send is None or self.address is None:
            return None
        return (
            (self._head, segment.picture_shift, segment.base_shift),
            segment.floor,
            _LONG_HEADER if self._head else _PLAIN_HEADER,
            segment.format.payload_type,
            segment.shift,
            segment.time_shift,
            self.ssrc,
            self.protect,
            self.send,
            self.address,
        )

    def moved(self) -> None:
        """Address or keys have changed."""
        if self._segment is not None:
            self._segment.fanout.regroup()

    def send_report(self, report: SenderReport, *, clock_shift: int) -> None:
        """A sender report in this feed's own time."""
        segment = self._segment
        if segment is None or self.protect_rtcp is None or self.send is None or self.address is None:
            return
        data = sender_report(report.shifted(ssrc=self.ssrc, clock=clock_shift, time=segment.time_shift))
        try:
            self.send(self.protect_rtcp(data), self.address)
        except (OSError, SrtpError):
            return

    def resend(self, sequence: int, *, now: float) -> int:
        """Send one packet again, as RTX where negotiated; its size in bytes, 0 when it is gone. What came
        before the last change is not sent again: the key frame after it has made it useless."""
        segment = self._segment
        if segment is None:
            return 0
        if segment.opening and sequence == (segment.start - 1) & 0xFFFF:
            marker, timestamp, payload = 0, segment.time, segment.opening
        elif (sequence - segment.start) & 0xFFFF >= 0x8000:
            return 0
        else:
            cached = segment.fanout.cached((sequence - segment.shift) & 0xFFFF)
            if cached is None:
                return 0
            _, marker, timestamp, payload = cached
            variant = (b"", segment.picture_shift, segment.base_shift)
            payload = body_of(payload, segment.fanout.ids_of(payload), variant=variant, clock=b"")
            timestamp = (timestamp + segment.time_shift) & 0xFFFFFFFF
        return self._send(payload, sequence=sequence, timestamp=timestamp, marker=marker, is_repair=True, now=now)

    def _send(self, payload: bytes, *, sequence: int, timestamp: int, marker: int, is_repair: bool, now: float) -> int:
        """Send one packet to this viewer alone; its size in bytes, 0 when that failed."""
        segment = self._segment
        if segment is None or self.protect is None or self.send is None or self.address is None:
            return 0
        kind, number, ssrc = segment.format.payload_type, sequence, self.ssrc
        if is_repair and segment.format.repair_type is not None:
            self._repair_sequence = (self._repair_sequence + 1) & 0xFFFF
            kind, number, ssrc = segment.format.repair_type, self._repair_sequence, self.repair_ssrc
            payload = rtx_payload(sequence=sequence, payload=payload)
        first, middle = (_LONG_HEADER, self._head + send_time(now)) if self._head else (_PLAIN_HEADER, b"")
        data = header_pack(first, marker | kind, number, timestamp, ssrc) + middle + payload
        try:
            self.send(self.protect(data), self.address)
        except (OSError, SrtpError):
            return 0
        return len(data)

    def _standing(self) -> Position:
        """Where the stream stands now."""
        segment, before = self._segment, self._position
        if segment is None:
            return before
        fanout = segment.fanout
        ids, picture, base = fanout.last_ids, before.picture, before.base
        if ids is not None:
            picture = (ids.picture + segment.picture_shift) & PICTURE_MASK
            base = (ids.base + segment.base_shift) & 0xFF if ids.base >= 0 else base
        return Position(
            sequence=(fanout.highest + segment.shift) & 0xFFFF,
            timestamp=(fanout.last_timestamp + segment.time_shift) & 0xFFFFFFFF,
            at=fanout.last_at,
            picture=picture,
            base=base,
        )
