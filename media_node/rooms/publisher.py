"""A publisher: receives media, requests retransmissions, and passes packets to the room's slots."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

from pylibsrtp import Error as SrtpError

from media_node.forwarding.layer import Encoding
from media_node.forwarding.track import PublishedTrack
from media_node.rooms.peer import CloseReason, Peer
from media_node.wire.extensions import AUDIO_LEVEL, MID, REPAIRED_RID, RID, extension_values
from media_node.wire.nack import GAP_LIMIT, due_sequences
from media_node.wire.rtcp import (
    SenderReport,
    bitrate_estimate,
    nack,
    picture_loss,
    receiver_report,
    rtcp_parse,
)
from media_node.wire.rtp import RtpInvalid, RtpPacket, rtp_parse, rtp_ssrc, rtx_unwrap
from media_node.wire.srtp import DATAGRAM_LIMIT_BYTES, PAYLOAD_LIMIT_BYTES

if TYPE_CHECKING:
    from media_node.grants import Stage
    from media_node.rooms.room import Room

logger = logging.getLogger(__name__)

_NTP_EPOCH_SECONDS = 2_208_988_800
# Packets accepted from a publisher per second: several times those of 1080p at 60 frames a second.
PACKET_BUDGET = 3000
# Extra bit rate for a screen beside the camera, enough for sharp text.
SCREEN_BITS_PER_SECOND = 1_500_000

Stream = tuple[PublishedTrack, Encoding]


class PublisherState(Enum):
    """WAITING for the first packet, LIVE, or LOST after silence. LOST becomes LIVE again with the next packet."""

    WAITING = "waiting"
    LIVE = "live"
    LOST = "lost"


class Publisher(Peer):
    """One publication of one user."""

    role = "publisher"

    def __init__(
        self, *, room: Room, tracks: list[PublishedTrack], extensions: dict[str, int], stage: Stage, **peer: Any
    ) -> None:
        super().__init__(engine=room.engine, **peer)
        self.room = room
        self.tracks = tracks
        self.stage = stage
        self.state = PublisherState.WAITING
        self.live_since: float | None = None
        self._extensions = {number: uri for uri, number in extensions.items()}
        self._has_levels = AUDIO_LEVEL in extensions
        self._clock_shift: int | None = None
        self._packets_left = PACKET_BUDGET
        self.oversize = 0
        self._by_ssrc: dict[int, Stream] = {}
        for track, encoding in self.streams():
            for ssrc in (encoding.ssrc, encoding.repair_ssrc):
                if ssrc is not None:
                    self._by_ssrc[ssrc] = (track, encoding)

    def track(self, source: str) -> PublishedTrack | None:
        """Return the published track of a source, or None."""
        return next((track for track in self.tracks if track.source == source), None)

    def streams(self) -> Iterator[Stream]:
        """Iterate over all streams of all tracks."""
        return ((track, encoding) for track in self.tracks for encoding in track.encodings)

    def take_over_from(self, earlier: Publisher, *, now: float) -> None:
        """Treat the user's sources as already present when this publication replaces an earlier one, so that no video
        changes its place until the new packets arrive."""
        for track in self.tracks:
            before = earlier.track(track.source)
            if before is not None and before.is_present:
                track.is_present = True
                for encoding in track.encodings:
                    encoding.heard_at = now

    def on_connected(self, now: float) -> None:
        self._send_estimate()

    def on_closed(self, reason: CloseReason) -> None:
        self.room.publisher_closed(self, reason=reason)

    def receive_rtp(self, datagram: bytes, *, now: float) -> None:
        srtp = self.srtp
        if srtp is None or len(datagram) < 12:
            return
        if len(datagram) > DATAGRAM_LIMIT_BYTES:
            self._note_oversize(len(datagram))
            return
        ssrc = rtp_ssrc(datagram)
        self._packets_left -= 1
        if self._packets_left < 0 or not self.admits_source(ssrc):
            self.engine.stats.packets_over_budget += 1
            return
        try:
            packet = rtp_parse(srtp.inbound.unprotect(datagram))
        except (SrtpError, RtpInvalid, ValueError):
            self.engine.stats.datagrams_refused += 1
            return
        self.note_source(ssrc)
        self.heard_at = now
        self.engine.stats.packets_received += 1
        stream = self._by_ssrc.get(ssrc) or self._identify(packet)
        if stream is None:
            return
        if self.state is not PublisherState.LIVE:
            self.state = PublisherState.LIVE
            self.live_since = time.time()
            self.room.publisher_live(self)
        self._accept(*stream, packet, now=now)

    def _accept(self, track: PublishedTrack, encoding: Encoding, packet: RtpPacket, *, now: float) -> None:
        is_repair = packet.payload_type == track.choice.retransmission_type
        extension = packet.extension
        if is_repair:
            original = rtx_unwrap(packet, payload_type=track.choice.payload_type, ssrc=encoding.ssrc or 0)
            if original is None or encoding.ssrc is None:
                return
            packet = original
        elif packet.payload_type != track.choice.payload_type:
            return
        reception = encoding.reception
        tracker = reception.tracker
        gaps_before = len(tracker.missing)
        number = tracker.place(sequence=packet.sequence, now=now)
        if number is None:
            return
        if is_repair:
            reception.repaired += 1
            self.engine.stats.retransmissions_received += 1
        else:
            reception.arrived(timestamp=packet.timestamp, now=now)
        if extension and self._has_levels and track.kind == "audio":
            self._note_level(track, extension, now=now)
        if not track.is_present:
            track.is_present = True
            encoding.heard_at = now
            self.room.source_appeared(self)
        if len(packet.payload) > PAYLOAD_LIMIT_BYTES:
            self._note_oversize(len(packet.payload))
            return
        encoding.take(packet, number=number, now=now)
        if len(tracker.missing) > gaps_before and track.kind == "video":
            self._repair(track, encoding, now=now)

    def _note_oversize(self, size: int) -> None:
        """Count and log a packet too large to forward over links with an MTU of 1500 bytes."""
        if self.oversize == 0:
            logger.warning("packets too large session=%s user=%s bytes=%d", self.session, self.user, size)
        self.oversize += 1
        self.engine.stats.packets_oversize += 1

    def _note_level(self, track: PublishedTrack, extension: bytes, *, now: float) -> None:
        for number, value in extension_values(extension).items():
            if self._extensions.get(number) == AUDIO_LEVEL and value:
                track.loudness.note(value[0] & 0x7F, now=now)

    def receive_rtcp(self, datagram: bytes, *, now: float) -> None:
        srtp = self.srtp
        if srtp is None or len(datagram) < 8 or not self.admits_source(int.from_bytes(datagram[4:8], "big")):
            return
        try:
            data = srtp.inbound.unprotect_rtcp(datagram)
        except (SrtpError, ValueError):
            self.engine.stats.datagrams_refused += 1
            return
        self.note_source(int.from_bytes(datagram[4:8], "big"))
        self.heard_at = now
        for item in rtcp_parse(data):
            if isinstance(item, SenderReport):
                self._sender_report(item, now=now)

    def on_tick(self, now: float) -> None:
        """Run every 50 ms: request lost packets again, and key frames that are waited for."""
        for track, encoding in self.streams():
            if track.kind != "video" or encoding.ssrc is None:
                continue
            if encoding.reception.tracker.missing:
                self._repair(track, encoding, now=now)
            if encoding.take_keyframe_request(now=now):
                self.engine.stats.keyframe_requests_sent += 1
                self.send_rtcp(picture_loss(ssrc=self.ssrc, media_ssrc=encoding.ssrc))
        if self.state is PublisherState.LIVE and now - self.heard_at > self.engine.config.silence_seconds:
            self.state = PublisherState.LOST
            self.room.publisher_lost(self, reason="silent")

    def report(self, now: float) -> None:
        """Run every second: send receiver reports and the accepted bit rate (REMB), and renew the packet budget."""
        self._packets_left = PACKET_BUDGET
        blocks = []
        for track in self.tracks:
            track.sort_layers()
        for _, encoding in self.streams():
            encoding.measure(now)
            if encoding.ssrc is not None:
                block = encoding.reception.block(ssrc=encoding.ssrc, now=now)
                blocks += [block] if block is not None else []
        self.send_rtcp(receiver_report(ssrc=self.ssrc, blocks=blocks) + self._estimate())

    def _repair(self, track: PublishedTrack, encoding: Encoding, *, now: float) -> None:
        tracker = encoding.reception.tracker
        if len(tracker.missing) > GAP_LIMIT:
            tracker.missing.clear()
            encoding.want_keyframe()
            return
        due = due_sequences(tracker, now=now)
        if due and encoding.ssrc is not None and "nack" in track.choice.feedback:
            self.engine.stats.nacks_sent += len(due)
            self.send_rtcp(nack(ssrc=self.ssrc, media_ssrc=encoding.ssrc, sequences=due))

    def _sender_report(self, report: SenderReport, *, now: float) -> None:
        stream = self._by_ssrc.get(report.ssrc)
        if stream is None or stream[1].ssrc != report.ssrc:
            return
        encoding = stream[1]
        encoding.reception.sender_reported(report, now=now)
        if self._clock_shift is None:
            # One offset for audio and video maps the publisher's clock to the node's and keeps them in sync.
            self._clock_shift = int((time.time() + _NTP_EPOCH_SECONDS) * 2**32) - report.ntp
        for slot in encoding.slots:
            slot.report(report, encoding=encoding, clock_shift=self._clock_shift)
        encoding.fanout.send_report(report, clock_shift=self._clock_shift)

    def _send_estimate(self) -> None:
        # Reduced-size RTCP (RFC 5506) is negotiated. The empty report is for strict receivers.
        self.send_rtcp(receiver_report(ssrc=self.ssrc, blocks=[]) + self._estimate())

    def _estimate(self) -> bytes:
        """Return a REMB with the accepted bit rate. It applies to the whole link, even before the layers' SSRCs are
        known."""
        videos = [(track, encoding) for track, encoding in self.streams() if track.kind == "video"]
        if not videos:
            return b""
        rate = self.engine.config.publisher_ceiling
        if any(track.source == "screen" and track.is_present for track in self.tracks):
            rate += SCREEN_BITS_PER_SECOND
        ssrcs = [encoding.ssrc for _, encoding in videos if encoding.ssrc is not None]
        return bitrate_estimate(ssrc=self.ssrc, bits_per_second=rate, ssrcs=ssrcs)

    def _identify(self, packet: RtpPacket) -> Stream | None:
        """Find the stream of an SSRC that the offer did not announce, by header extensions or else by payload type."""
        values = {self._extensions.get(n): value for n, value in extension_values(packet.extension).items()}
        mid = values.get(MID)
        rid, repaired = values.get(RID), values.get(REPAIRED_RID)
        for track, encoding in self.streams():
            if packet.payload_type not in (track.choice.payload_type, track.choice.retransmission_type):
                continue
            if mid is not None and mid != track.mid.encode():
                continue
            is_repair = packet.payload_type == track.choice.retransmission_type
            name = repaired if is_repair else rid
            is_named = encoding.rid != "" and name == encoding.rid.encode()
            is_alone = encoding.rid == "" and (mid is not None or is_repair or not encoding.declared)
            if is_named or is_alone:
                return self._adopt(track, encoding, ssrc=packet.ssrc, is_repair=is_repair)
        return None

    def _adopt(self, track: PublishedTrack, encoding: Encoding, *, ssrc: int, is_repair: bool) -> Stream:
        before = encoding.repair_ssrc if is_repair else encoding.ssrc
        if before is not None:
            self._by_ssrc.pop(before, None)
        if is_repair:
            encoding.repair_ssrc = ssrc
        else:
            encoding.adopt(ssrc)
        self._by_ssrc[ssrc] = (track, encoding)
        return track, encoding
