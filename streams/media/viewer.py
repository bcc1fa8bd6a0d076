"""A viewer: takes what the room's slots send, and asks again for what it lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pylibsrtp import Error as SrtpError

from streams.media.answer import SectionAnswer
from streams.media.errors import OfferInvalid
from streams.media.negotiation import choose_audio, choose_published_video, choose_watched_video, is_media
from streams.media.peer import CloseReason, Peer
from streams.media.rtcp import BitrateEstimate, KeyframeRequest, Nack, ReportBlock, rtcp_parse
from streams.media.sdp import MediaSection, SessionDescription
from streams.media.slot import Sink, Slot

if TYPE_CHECKING:
    from streams.media.room import Room

# What one viewer may make the node do in a second.
FEEDBACK_BUDGET = 100
RESEND_BUDGET = 600

Seat = tuple[Slot, Sink]


class Viewer(Peer):
    """One WHEP resource. `seats` are the slots it watches."""

    role = "subscriber"

    def __init__(self, *, room: Room, seats: list[Seat], **peer: Any) -> None:
        super().__init__(**peer)
        self.room = room
        self.seats = seats
        self.estimate: int | None = None
        # Of the last interval he reported, as a fraction.
        self.loss = 0.0
        self._feedback_left = FEEDBACK_BUDGET
        self._resend_left = RESEND_BUDGET

    def on_connected(self, now: float) -> None:
        srtp = self.srtp
        if srtp is None:
            return
        for slot, sink in self.seats:
            sink.protect, sink.protect_rtcp = srtp.outbound.protect, srtp.outbound.protect_rtcp
            sink.send, sink.address = self.send, self.address
            slot.attach(sink)
        self.room.want_keyframe()

    def on_moved(self) -> None:
        for slot, sink in self.seats:
            sink.send, sink.address = self.send, self.address
            slot.regroup()

    def on_closed(self, reason: CloseReason) -> None:
        for slot, sink in self.seats:
            slot.detach(sink)
            sink.protect = sink.protect_rtcp = sink.send = None
        self.room.viewer_closed(self)

    def outgoing_ssrcs(self) -> list[int]:
        return [slot.ssrc for slot, _ in self.seats] or [self.ssrc]

    def receive_rtcp(self, datagram: bytes, *, now: float) -> None:
        srtp = self.srtp
        if srtp is None or self._feedback_left <= 0 or len(datagram) < 8:
            return
        self._feedback_left -= 1
        source = int.from_bytes(datagram[4:8], "big")
        if not self.admits_source(source):
            return
        try:
            data = srtp.inbound.unprotect_rtcp(datagram)
        except (SrtpError, ValueError):
            self.engine.stats.datagrams_refused += 1
            return
        self.note_source(source)
        for item in rtcp_parse(data):
            if isinstance(item, Nack):
                self._resend(item)
            elif isinstance(item, KeyframeRequest):
                self.engine.stats.keyframe_requests_received += 1
                self.room.want_keyframe()
            elif isinstance(item, BitrateEstimate):
                self.estimate = item.bits_per_second
            elif isinstance(item, ReportBlock):
                self._reception(item)

    def refill(self) -> None:
        """Every second: a new budget."""
        self._feedback_left, self._resend_left = FEEDBACK_BUDGET, RESEND_BUDGET

    def _resend(self, item: Nack) -> None:
        stats = self.engine.stats
        for slot, sink in self.seats:
            if slot.ssrc != item.ssrc or slot.kind != "video":
                continue
            for sequence in item.sequences:
                stats.nacks_received += 1
                if self._resend_left <= 0 or not slot.resend(sink, sequence):
                    stats.nacks_unanswered += 1
                else:
                    self._resend_left -= 1

    def _reception(self, block: ReportBlock) -> None:
        if any(slot.kind == "video" and slot.ssrc == block.ssrc for slot, _ in self.seats):
            self.loss = block.fraction_lost / 256


def plan_viewer(
    offer: SessionDescription, *, slots: dict[str, Slot], stream: str
) -> tuple[list[Seat], list[SectionAnswer]]:
    """The seats an offer gets and the answers to its sections. The first audio and the first video
    section receive the host; further ones are kept inactive. Raises OfferInvalid when nothing fits."""
    seats: dict[str, Seat] = {}
    answers: list[SectionAnswer] = []
    for section in offer.media:
        answer, seat = _plan_section(
            section, slot=slots.get(section.kind), stream=stream, is_taken=section.kind in seats
        )
        if seat is not None:
            seats[section.kind] = seat
        answers.append(answer)
    if not seats:
        raise OfferInvalid("The offer has no section that can receive what is published here.")
    return list(seats.values()), answers


def _plan_section(
    section: MediaSection, *, slot: Slot | None, stream: str, is_taken: bool
) -> tuple[SectionAnswer, Seat | None]:
    if not is_media(section):
        return SectionAnswer(section=section), None
    if section.kind == "audio":
        choice = choose_audio(section)
    elif slot is None:
        choice = choose_published_video(section)
    else:
        choice = choose_watched_video(section, codec=slot.codec, parameters=slot.parameters)
    if choice is None:
        return SectionAnswer(section=section), None
    if slot is None or is_taken or section.direction not in ("recvonly", "sendrecv"):
        return SectionAnswer(section=section, choice=choice, direction="inactive"), None
    sink = Sink(payload_type=choice.payload_type, repair_type=choice.retransmission_type)
    answer = SectionAnswer(
        section=section,
        choice=choice,
        direction="sendonly",
        ssrc=slot.ssrc,
        retransmission_ssrc=slot.repair_ssrc,
        stream=stream,
    )
    return answer, (slot, sink)
