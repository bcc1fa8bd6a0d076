"""A slot of a room: one outgoing stream shared by all viewers, independent of its current source.

The slot, not the publisher, owns SSRC, sequence numbers and timestamps. When the publisher reconnects or is replaced,
new offsets keep the stream continuous and viewers need no renegotiation. A packet is rewritten once; each viewer costs
one encryption and one send.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pylibsrtp import Error as SrtpError

from media_node.stats import Stats
from media_node.wire.keyframes import keyframe_detector
from media_node.wire.nack import PacketCache
from media_node.wire.rtcp import SenderReport, sender_report
from media_node.wire.rtp import RtpPacket, header_pack, rtp_build, rtx_payload
from media_node.wire.sdp import Codec
from media_node.wire.stun import Address

if TYPE_CHECKING:
    from media_node.forwarding.layer import Encoding

# A switch of source waits this long for a key frame and then starts at any packet.
KEYFRAME_PATIENCE_SECONDS = 3.0

Protect = Callable[[bytes], bytes]
# The type of socket.sendto, whose overloads cannot be expressed.
Send = Callable[[bytes, Any], int]


class Sink:
    """One viewer's end of a slot. It sends once keys and address are set."""

    __slots__ = ("_repair_sequence", "address", "payload_type", "protect", "protect_rtcp", "repair_type", "send")

    def __init__(self, *, payload_type: int, repair_type: int | None) -> None:
        self.payload_type = payload_type
        self.repair_type = repair_type
        self.protect: Protect | None = None
        self.protect_rtcp: Protect | None = None
        self.send: Send | None = None
        self.address: Address | None = None
        self._repair_sequence = secrets.randbelow(0x4000)

    def next_repair_sequence(self) -> int:
        """Return the next sequence number of the RTX stream, which is separate and numbered per viewer."""
        self._repair_sequence = (self._repair_sequence + 1) & 0xFFFF
        return self._repair_sequence


class Slot:
    """One outgoing audio or video stream of a room."""

    __slots__ = (
        "_cache",
        "_floor",
        "_generation",
        "_groups",
        "_highest",
        "_is_opening_due",
        "_is_start",
        "_last_at",
        "_last_timestamp",
        "_report",
        "_shift",
        "_sinks",
        "_source",
        "_stats",
        "_switch_since",
        "_time_shift",
        "codec",
        "kind",
        "parameters",
        "repair_ssrc",
        "ssrc",
    )

    def __init__(self, *, kind: str, codec: Codec, parameters: str, stats: Stats) -> None:
        self.kind = kind
        self.codec = codec
        self.parameters = parameters
        self.ssrc = secrets.randbelow(2**32 - 1) + 1
        self.repair_ssrc = secrets.randbelow(2**32 - 1) + 1
        self._stats = stats
        self._is_start = keyframe_detector(codec.name)
        self._cache = PacketCache()
        self._sinks: list[Sink] = []
        self._groups: list[tuple[int, list[tuple[Protect, Send, Address]]]] = []
        self._source: Encoding | None = None
        self._generation = 0
        self._switch_since: float | None = None
        self._report: bytes | None = None
        # Whether a viewer has joined who may lack the stream's parameter sets.
        self._is_opening_due = False
        # Start low, so that the first wrap is far away: around it, a receiver that missed the first packets could
        # misjudge the rollover counter (RFC 3711 section 3.3.1).
        self._shift = 0
        self._floor = 0
        self._highest = secrets.randbelow(0x4000)
        self._time_shift = 0
        self._last_timestamp = secrets.randbits(32)
        self._last_at: float | None = None

    def __len__(self) -> int:
        return len(self._sinks)

    @property
    def has_source(self) -> bool:
        """Whether the stream has a source."""
        return self._source is not None

    def attach(self, sink: Sink) -> None:
        """Send to this viewer from now on."""
        if sink not in self._sinks:
            self._sinks.append(sink)
            self._is_opening_due = True
        self.regroup()
        if self._report is not None:
            self._send_rtcp(sink, self._report)

    def detach(self, sink: Sink) -> None:
        """Send nothing more to this viewer. Detaching twice changes nothing."""
        if sink in self._sinks:
            self._sinks.remove(sink)
            self.regroup()

    def regroup(self) -> None:
        """Rebuild the send lists after a viewer was added, removed, or moved to another address."""
        groups: dict[int, list[tuple[Protect, Send, Address]]] = {}
        for sink in self._sinks:
            if sink.protect is not None and sink.send is not None and sink.address is not None:
                entry = (sink.protect, sink.send, sink.address)
                groups.setdefault(sink.payload_type, []).append(entry)
        self._groups = list(groups.items())

    def interrupt(self) -> None:
        """Detach the source when it pauses or ends. The next source continues the stream without a gap."""
        self._source = None
        self._switch_since = None
        self._report = None

    def forward(self, encoding: Encoding, packet: RtpPacket, *, number: int, now: float) -> None:
        """Send one packet of the source to all viewers. `number` is its extended sequence number."""
        if (self._source is not encoding or self._generation != encoding.reception.tracker.generation) and not (
            self._switch(encoding, packet, number=number, now=now)
        ):
            return
        if number < self._floor:
            return
        timestamp = (packet.timestamp + self._time_shift) & 0xFFFFFFFF
        if self._is_opening_due and self._is_start(packet.payload):
            self._open(encoding, packet, number=number, timestamp=timestamp)
        if number > self._highest:
            self._highest = number
            self._last_timestamp, self._last_at = timestamp, now
        self._send(packet.payload, sequence=(number + self._shift) & 0xFFFF, timestamp=timestamp, marker=packet.marker)

    def _open(self, encoding: Encoding, packet: RtpPacket, *, number: int, timestamp: int) -> None:
        """Send the last parameter sets before a key frame that lacks them, as an extra packet of the same frame."""
        self._is_opening_due = False
        opening = encoding.opening(packet.payload)
        if opening:
            self._shift = (self._shift + 1) & 0xFFFF
            self._floor = number
            self._send(opening, sequence=(number - 1 + self._shift) & 0xFFFF, timestamp=timestamp, marker=0)

    def _send(self, payload: bytes, *, sequence: int, timestamp: int, marker: int) -> None:
        ssrc = self.ssrc
        if self.kind == "video":
            self._cache.put((sequence, marker, timestamp, payload))
        sent = failed = 0
        for payload_type, entries in self._groups:
            data = header_pack(0x80, marker | payload_type, sequence, timestamp, ssrc) + payload
            for protect, send, address in entries:
                try:
                    send(protect(data), address)
                except (OSError, SrtpError):
                    failed += 1
            sent += len(entries)
        stats = self._stats
        stats.packets_sent += sent - failed
        stats.bytes_sent += (sent - failed) * (len(payload) + 12)
        stats.packets_failed += failed

    def report(self, report: SenderReport, *, encoding: Encoding, clock_shift: int) -> None:
        """Forward a sender report in the slot's own timestamps, which keeps audio and video in sync."""
        if self._source is not encoding or self._generation != encoding.reception.tracker.generation:
            return
        data = sender_report(report.shifted(ssrc=self.ssrc, clock=clock_shift, time=self._time_shift))
        self._report = data
        for sink in self._sinks:
            self._send_rtcp(sink, data)

    def resend(self, sink: Sink, sequence: int) -> int:
        """Resend one packet to one viewer, as RTX if negotiated. Return its size, or 0 if it is no longer cached."""
        cached = self._cache.get(sequence)
        if cached is None or sink.protect is None or sink.send is None or sink.address is None:
            return 0
        _, marker, timestamp, payload = cached
        repair = sink.repair_type
        if repair is None:
            data = rtp_build(
                marker=marker,
                payload_type=sink.payload_type,
                sequence=sequence,
                timestamp=timestamp,
                ssrc=self.ssrc,
                payload=payload,
            )
        else:
            data = rtp_build(
                marker=marker,
                payload_type=repair,
                sequence=sink.next_repair_sequence(),
                timestamp=timestamp,
                ssrc=self.repair_ssrc,
                payload=rtx_payload(sequence=sequence, payload=payload),
            )
        try:
            sink.send(sink.protect(data), sink.address)
        except (OSError, SrtpError):
            self._stats.packets_failed += 1
            return 0
        return len(data)

    def _switch(self, encoding: Encoding, packet: RtpPacket, *, number: int, now: float) -> bool:
        """Continue the stream with this packet if decoding can start at it; otherwise request a key frame. Return
        whether it switched."""
        if self._switch_since is None:
            self._switch_since = now
        if not self._is_start(packet.payload) and now - self._switch_since < KEYFRAME_PATIENCE_SECONDS:
            encoding.want_keyframe()
            return False
        next_sequence = (self._highest + self._shift + 1) & 0xFFFF
        elapsed = 0.0 if self._last_at is None else max(0.0, now - self._last_at)
        step = max(1, int(elapsed * self.codec.clock_rate))
        self._shift = (next_sequence - number) & 0xFFFF
        self._time_shift = (self._last_timestamp + step - packet.timestamp) & 0xFFFFFFFF
        self._floor, self._highest = number, number - 1
        self._source, self._generation = encoding, encoding.reception.tracker.generation
        self._switch_since = None
        self._report = None
        self._is_opening_due = True
        return True

    def _send_rtcp(self, sink: Sink, data: bytes) -> None:
        if sink.protect_rtcp is None or sink.send is None or sink.address is None:
            return
        try:
            sink.send(sink.protect_rtcp(data), sink.address)
        except (OSError, SrtpError):
            self._stats.packets_failed += 1
