"""A viewer's video section: one outgoing stream whose source may be any layer of any participant.

Sequence numbers, timestamps and picture IDs stay continuous when the source changes, and the change happens at a key
frame. The viewer's decoder does not notice it and no renegotiation is needed.
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
    from media_node.forwarding.layer import Encoding
    from media_node.forwarding.track import PublishedTrack

_LONG_HEADER, _PLAIN_HEADER = 0x90, 0x80

# variant (extension head, picture shift, base shift), floor, first header byte, payload type, sequence shift, time
# shift, ssrc, and how to send. A tuple, because it is read for every packet of every viewer.
Entry = tuple[tuple[bytes, int, int], int, int, int, int, int, int, Protect, Send, Address]


class Format(NamedTuple):
    """The payload types that a viewer negotiated for a codec."""

    payload_type: int
    repair_type: int | None


class Segment(NamedTuple):
    """Mapping from one source's numbers to the viewer's, from output sequence number `start` on. `opening` are
    parameter sets sent just before it, at timestamp `time`."""

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
    """The last packet sent, in the viewer's numbering. `picture` is None before the first picture ID."""

    sequence: int
    timestamp: int
    at: float | None
    picture: int | None
    base: int


class Feed:
    """The stream sent in one video section of one viewer. `track` is the shown source and `encoding` the layer being
    sent. `wanted` is the layer it will switch to at the next key frame."""

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
        # Loss in the last reported interval, as a fraction.
        self.loss = 0.0
        self._head = send_time_head(send_time_number) if send_time_number is not None else b""
        # Start low, so that the first wrap is far away: around it, a receiver that missed the first packets could
        # misjudge the rollover counter (RFC 3711 section 3.3.1).
        self._position = Position(secrets.randbelow(0x4000), secrets.randbits(32), None, None, 0)
        self._segment: Segment | None = None
        self._repair_sequence = secrets.randbelow(0x4000)

    @property
    def is_dark(self) -> bool:
        """Whether nothing is being sent."""
        return self._segment is None

    @property
    def has_send_time(self) -> bool:
        """Whether packets carry the abs-send-time extension."""
        return bool(self._head)

    def flowing(self, now: float) -> list[Encoding]:
        """Return the layers that can be shown, the lowest first, without paused ones."""
        if self.track is None:
            return []
        layers = self.track.encodings
        return [layer for layer in layers if layer.is_flowing(now)] or [self.encoding or layers[0]]

    def summary(self) -> dict[str, object]:
        """Return the name of the layer being sent, and its size if known."""
        layer, track = self.encoding, self.track
        if self.is_dark or layer is None or track is None:
            return {"layer": None}
        size = layer.dimensions
        known = {"width": size.width, "height": size.height} if size is not None else {}
        return {"layer": track.layer_name(layer), **known}

    def can_show(self, track: PublishedTrack) -> bool:
        """Return whether the viewer negotiated the track's codec."""
        return track.choice.codec.name in self.formats

    def follow(self, encoding: Encoding | None, *, now: float) -> None:
        """Switch to this layer at its next key frame. None stops sending at once."""
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
        """Stop sending. The next source continues the numbering."""
        self.pause()
        for encoding in (self.encoding, self.wanted):
            if encoding is not None:
                encoding.fanout.dismiss(self)
        self.encoding = self.wanted = None

    def pause(self) -> None:
        """Detach from the source and remember the position in the stream."""
        self._position = self._standing()
        if self._segment is not None:
            fanout, self._segment = self._segment.fanout, None
            fanout.dismiss(self)

    def begin(self, fanout: Fanout, packet: RtpPacket, *, number: int, opening: bytes, now: float) -> None:
        """Start sending from a fan-out with this packet, preceded by the parameter sets in `opening` if any."""
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
        """Return the fan-out's entry for this feed, or None while it cannot send."""
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
        """Apply a changed address or changed keys."""
        if self._segment is not None:
            self._segment.fanout.regroup()

    def send_report(self, report: SenderReport, *, clock_shift: int) -> None:
        """Send a sender report in this feed's own timestamps."""
        segment = self._segment
        if segment is None or self.protect_rtcp is None or self.send is None or self.address is None:
            return
        data = sender_report(report.shifted(ssrc=self.ssrc, clock=clock_shift, time=segment.time_shift))
        try:
            self.send(self.protect_rtcp(data), self.address)
        except (OSError, SrtpError):
            return

    def resend(self, sequence: int, *, now: float) -> int:
        """Resend one packet, as RTX if negotiated. Return its size in bytes, or 0 if it is no longer cached.

        Packets from before the last switch are not resent: the key frame that followed made them useless.
        """
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
        """Send one packet to this viewer alone. Return its size in bytes, or 0 if sending failed."""
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
        """Return the current position in the stream."""
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
