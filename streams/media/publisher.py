"""A publisher: takes media in, asks again for what was lost, and hands packets to the room's slots."""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, Any

from pylibsrtp import Error as SrtpError

from streams.media.answer import SectionAnswer
from streams.media.errors import OfferInvalid, WrongRole
from streams.media.grants import SOURCES, Source
from streams.media.nack import GAP_LIMIT, due_sequences
from streams.media.negotiation import choose_audio, choose_published_video, is_media
from streams.media.peer import CloseReason, Peer
from streams.media.rtcp import (
    SenderReport,
    bitrate_estimate,
    nack,
    picture_loss,
    receiver_report,
    rtcp_parse,
)
from streams.media.rtp import RtpInvalid, RtpPacket, rtp_parse, rtp_ssrc, rtx_unwrap
from streams.media.sdp import MediaSection, SessionDescription
from streams.media.track import PublishedTrack

if TYPE_CHECKING:
    from streams.media.room import Room

_UNCARRIED = {
    "audio": "The offer's audio must include Opus.",
    "video": "The offer's video must include VP8, or H.264 with packetization-mode=1.",
}
_SOURCE_OF: dict[str, Source] = {"audio": "audio", "video": "camera"}
_NTP_EPOCH_SECONDS = 2_208_988_800
# What one publisher may make the node do in a second: several times 1080p at 60 pictures a second.
PACKET_BUDGET = 3000


class PublisherState(Enum):
    """WAITING for the first packet, LIVE, or LOST after silence; LOST becomes LIVE again with a packet."""

    WAITING = "waiting"
    LIVE = "live"
    LOST = "lost"


class Publisher(Peer):
    """One publication of one user."""

    role = "publisher"

    def __init__(self, *, room: Room, tracks: list[PublishedTrack], **peer: Any) -> None:
        super().__init__(**peer)
        self.room = room
        self.tracks = tracks
        self.state = PublisherState.WAITING
        self.live_since: float | None = None
        self._clock_shift: int | None = None
        self._packets_left = PACKET_BUDGET
        self._by_ssrc: dict[int, PublishedTrack] = {}
        for track in tracks:
            for ssrc in (track.ssrc, track.repair_ssrc):
                if ssrc is not None:
                    self._by_ssrc[ssrc] = track

    def track(self, kind: str) -> PublishedTrack | None:
        """The published track of a kind."""
        return next((track for track in self.tracks if track.kind == kind), None)

    def on_connected(self, now: float) -> None:
        self._send_estimate()

    def on_closed(self, reason: CloseReason) -> None:
        self.room.publisher_closed(self, reason=reason)

    def receive_rtp(self, datagram: bytes, *, now: float) -> None:
        srtp = self.srtp
        if srtp is None or len(datagram) < 12:
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
        track = self._by_ssrc.get(ssrc) or self._adopt(packet)
        if track is None:
            return
        if self.state is not PublisherState.LIVE:
            self.state = PublisherState.LIVE
            self.live_since = time.time()
            self.room.publisher_live(self)
        self._accept(track, packet, now=now)

    def _accept(self, track: PublishedTrack, packet: RtpPacket, *, now: float) -> None:
        repair_type = track.choice.retransmission_type
        is_repair = packet.payload_type == repair_type
        if is_repair:
            original = rtx_unwrap(packet, payload_type=track.choice.payload_type, ssrc=track.ssrc or 0)
            if original is None or track.ssrc is None:
                return
            packet = original
        elif packet.payload_type != track.choice.payload_type:
            return
        reception = track.reception
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
        track.packets += 1
        track.bytes += len(packet.payload)
        if track.slot is not None:
            track.slot.forward(track, packet, number=number, now=now)
        if len(tracker.missing) > gaps_before and track.kind == "video":
            self._repair(track, now=now)

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
        """Every 50 ms: ask for lost packets again, and for a key frame when somebody waits for one."""
        for track in self.tracks:
            if track.kind != "video" or track.ssrc is None:
                continue
            if track.reception.tracker.missing:
                self._repair(track, now=now)
            if track.take_keyframe_request(now=now):
                self.engine.stats.keyframe_requests_sent += 1
                self.send_rtcp(picture_loss(ssrc=self.ssrc, media_ssrc=track.ssrc))
        if self.state is PublisherState.LIVE and now - self.heard_at > self.engine.config.silence_seconds:
            self.state = PublisherState.LOST
            self.room.publisher_lost(self, reason="silent")

    def report(self, now: float) -> None:
        """Every second: how the streams arrive (RR), and how much we would take (REMB); a new budget."""
        self._packets_left = PACKET_BUDGET
        blocks = [
            block
            for track in self.tracks
            if track.ssrc is not None and (block := track.reception.block(ssrc=track.ssrc, now=now)) is not None
        ]
        self.send_rtcp(receiver_report(ssrc=self.ssrc, blocks=blocks) + self._estimate())

    def _repair(self, track: PublishedTrack, *, now: float) -> None:
        tracker = track.reception.tracker
        if len(tracker.missing) > GAP_LIMIT:
            tracker.missing.clear()
            track.want_keyframe()
            return
        due = due_sequences(tracker, now=now)
        if due and track.ssrc is not None and "nack" in track.choice.feedback:
            self.engine.stats.nacks_sent += len(due)
            self.send_rtcp(nack(ssrc=self.ssrc, media_ssrc=track.ssrc, sequences=due))

    def _sender_report(self, report: SenderReport, *, now: float) -> None:
        track = self._by_ssrc.get(report.ssrc)
        if track is None or track.ssrc != report.ssrc:
            return
        track.reception.sender_reported(report, now=now)
        if self._clock_shift is None:
            # One shift for audio and video puts the publisher's clock on ours and keeps them in step.
            self._clock_shift = int((time.time() + _NTP_EPOCH_SECONDS) * 2**32) - report.ntp
        if track.slot is not None:
            track.slot.report(report, track=track, clock_shift=self._clock_shift)

    def _send_estimate(self) -> None:
        # Reduced-size RTCP (RFC 5506) is negotiated; the empty report keeps strict readers content.
        self.send_rtcp(receiver_report(ssrc=self.ssrc, blocks=[]) + self._estimate())

    def _estimate(self) -> bytes:
        ssrcs = [track.ssrc for track in self.tracks if track.kind == "video" and track.ssrc is not None]
        if not ssrcs:
            return b""
        return bitrate_estimate(ssrc=self.ssrc, bits_per_second=self.engine.config.publisher_ceiling, ssrcs=ssrcs)

    def _adopt(self, packet: RtpPacket) -> PublishedTrack | None:
        """The track for a source that the offer did not name, by its payload type."""
        for track in self.tracks:
            if packet.payload_type == track.choice.retransmission_type:
                track.repair_ssrc = packet.ssrc
                self._by_ssrc[packet.ssrc] = track
                return track
            if packet.payload_type == track.choice.payload_type and not track.declared:
                if track.ssrc is not None:
                    self._by_ssrc.pop(track.ssrc, None)
                    track.adopt(packet.ssrc)
                track.ssrc = packet.ssrc
                self._by_ssrc[packet.ssrc] = track
                return track
        return None


def plan_publication(
    offer: SessionDescription, *, start_bits_per_second: int, sources: tuple[Source, ...] = SOURCES
) -> tuple[list[PublishedTrack], list[SectionAnswer]]:
    """The tracks that an offer publishes and the answers to its sections: the first audio and the first
    video that can be carried are taken. Raises OfferInvalid when a kind is offered in codecs that cannot be
    carried, since half a show on the air would be the worse surprise; WrongRole when the grant allows
    none of it. A section that the grant does not allow is kept inactive."""
    tracks: dict[str, PublishedTrack] = {}
    allowed: list[PublishedTrack] = []
    answers: list[SectionAnswer] = []
    for section in offer.media:
        is_sent = is_media(section) and section.direction in ("sendonly", "sendrecv")
        if not is_sent or section.kind in tracks:
            answers.append(SectionAnswer(section=section))
            continue
        track = _track(section)
        if track is None:
            raise OfferInvalid(_UNCARRIED[section.kind])
        tracks[section.kind] = track
        if _SOURCE_OF[section.kind] not in sources:
            answers.append(SectionAnswer(section=section, choice=track.choice))
            continue
        allowed.append(track)
        # Chromium starts at 300 kbit/s and climbs for many seconds unless told that more is welcome.
        hint = f"x-google-start-bitrate={start_bits_per_second // 1000}" if section.kind == "video" else ""
        answers.append(SectionAnswer(section=section, choice=track.choice, direction="recvonly", extra_parameters=hint))
    if not tracks:
        raise OfferInvalid("The offer publishes neither audio nor video.")
    if not allowed:
        raise WrongRole("The media token does not allow to send any of this.")
    return allowed, answers


def _track(section: MediaSection) -> PublishedTrack | None:
    choice = choose_audio(section) if section.kind == "audio" else choose_published_video(section)
    if choice is None:
        return None
    repairs = set(section.retransmission_ssrcs.values())
    ssrc = next((ssrc for ssrc in section.ssrcs if ssrc not in repairs), None)
    repair = section.retransmission_ssrcs.get(ssrc) if ssrc is not None else None
    return PublishedTrack(kind=section.kind, choice=choice, ssrc=ssrc, repair_ssrc=repair)
