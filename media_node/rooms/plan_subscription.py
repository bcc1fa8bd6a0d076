"""Planning of a subscription: one video and one audio section receive the host, more sections the stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from media_node.errors import OfferInvalid
from media_node.forwarding.feed import Feed, Format
from media_node.forwarding.slot import Sink, Slot
from media_node.forwarding.stage_order import HOST_INDEX
from media_node.rooms.viewer import AudioSection, HostStream
from media_node.wire.answer import SectionAnswer
from media_node.wire.extensions import SEND_TIME
from media_node.wire.negotiation import (
    VIDEO_CODECS,
    Choice,
    choose_audio,
    choose_published_video,
    choose_watched_video,
    is_media,
)
from media_node.wire.sdp import MediaSection, SessionDescription

SECTIONS_OF_A_KIND = 24
_RECEIVING = ("recvonly", "sendrecv")
_COMMON_H264 = "profile-level-id=42e01f;packetization-mode=1"


@dataclass(slots=True)
class Subscription:
    """The streams for a viewer, and the answers to the sections of their offer."""

    answers: list[SectionAnswer]
    host_streams: list[HostStream] = field(default_factory=list)
    audio_sections: list[AudioSection] = field(default_factory=list)
    feeds: list[Feed] = field(default_factory=list)
    is_staged: bool = False


def is_for_stage(offer: SessionDescription) -> bool:
    """Return whether an offer has more than one section for video or audio."""
    kinds = [section.kind for section in offer.media if is_media(section) and section.direction in _RECEIVING]
    return kinds.count("video") > 1 or kinds.count("audio") > 1


def plan_host(offer: SessionDescription, *, slots: dict[str, Slot], is_layered: bool, stream: str) -> Subscription:
    """Answer an offer that receives only the host.

    The first audio and the first video section receive the host; further ones are inactive. A host with layers is sent
    to each viewer individually. Raises OfferInvalid if no section fits.
    """
    plan = Subscription(answers=[])
    taken: set[str] = set()
    for section in offer.media:
        is_free = section.kind not in taken
        if section.kind == "video" and is_layered and is_free and _is_receiving(section):
            answer = _feed(section, plan=plan, parameters=None)
        else:
            answer = _host_section(section, plan=plan, slot=slots.get(section.kind) if is_free else None, stream=stream)
        if answer.direction == "sendonly":
            taken.add(section.kind)
        plan.answers.append(answer)
    if not taken:
        raise OfferInvalid("The offer has no section that can receive what is published here.")
    return plan


def plan_stage(
    offer: SessionDescription, *, audio_slot: Callable[[int], Slot], h264_parameters: str | None
) -> Subscription:
    """Answer an offer that receives the stage: each audio section gets an index of the audio table, each video section
    a row of the video table, in order.

    `h264_parameters` are those of an H.264 publisher, if there is one. Raises OfferInvalid.
    """
    plan = Subscription(answers=[], is_staged=True)
    for section in offer.media:
        if not _is_receiving(section):
            plan.answers.append(_unused(section))
        elif section.kind == "video":
            plan.answers.append(_feed(section, plan=plan, parameters=h264_parameters))
        else:
            plan.answers.append(_audio_section(section, plan=plan, audio_slot=audio_slot))
    if not plan.audio_sections and not plan.feeds:
        raise OfferInvalid("The offer has no section that can receive what is published here.")
    return plan


def _is_receiving(section: MediaSection) -> bool:
    return is_media(section) and section.direction in _RECEIVING


def _unused(section: MediaSection) -> SectionAnswer:
    if not is_media(section):
        return SectionAnswer(section=section)
    choice = choose_audio(section) if section.kind == "audio" else choose_published_video(section)
    return SectionAnswer(section=section, choice=choice)


def _host_section(section: MediaSection, *, plan: Subscription, slot: Slot | None, stream: str) -> SectionAnswer:
    if not _is_receiving(section) or slot is None:
        return _unused(section)
    choice = (
        choose_audio(section)
        if section.kind == "audio"
        else choose_watched_video(section, codec=slot.codec, parameters=slot.parameters)
    )
    if choice is None:
        return SectionAnswer(section=section)
    plan.host_streams.append((slot, Sink(payload_type=choice.payload_type, repair_type=choice.retransmission_type)))
    return SectionAnswer(
        section=section,
        choice=choice,
        direction="sendonly",
        ssrc=slot.ssrc,
        retransmission_ssrc=slot.repair_ssrc,
        stream=stream,
    )


def _audio_section(section: MediaSection, *, plan: Subscription, audio_slot: Callable[[int], Slot]) -> SectionAnswer:
    choice, index = choose_audio(section), len(plan.audio_sections)
    if choice is None or index >= SECTIONS_OF_A_KIND:
        return _unused(section)
    slot = audio_slot(index)
    sink = Sink(payload_type=choice.payload_type, repair_type=choice.retransmission_type)
    plan.audio_sections.append(AudioSection(index=index, slot=slot, sink=sink, mid=section.mid))
    return SectionAnswer(
        section=section, choice=choice, direction="sendonly", ssrc=slot.ssrc, stream=_stream("a", index)
    )


def _feed(section: MediaSection, *, plan: Subscription, parameters: str | None) -> SectionAnswer:
    choices, index = _video_choices(section, parameters=parameters), len(plan.feeds)
    if not choices or index >= SECTIONS_OF_A_KIND:
        return _unused(section)
    send_time = section.extensions.get(SEND_TIME)
    feed = Feed(
        index=index,
        mid=section.mid,
        formats={choice.codec.name: Format(choice.payload_type, choice.retransmission_type) for choice in choices},
        send_time_number=send_time if send_time is not None and send_time < 15 else None,
    )
    plan.feeds.append(feed)
    return SectionAnswer(
        section=section,
        choice=choices[0],
        also=tuple(choices[1:]),
        direction="sendonly",
        ssrc=feed.ssrc,
        retransmission_ssrc=feed.repair_ssrc,
        stream=_stream("v", index),
        extensions=(SEND_TIME,) if feed.has_send_time else (),
    )


def _stream(kind: str, index: int) -> str:
    """Return the media stream ID (msid) of a section.

    Browsers synchronize audio and video of the same stream. The first sections are both the host's. The others change
    participants and have separate streams.
    """
    return "host" if index == HOST_INDEX else f"{kind}{index}"


def _video_choices(section: MediaSection, *, parameters: str | None) -> list[Choice]:
    """Return one payload type per codec that participants on stage may send."""
    choices = [
        choose_watched_video(section, codec=codec, parameters=parameters or _COMMON_H264) for codec in VIDEO_CODECS
    ]
    return [choice for choice in choices if choice is not None]
