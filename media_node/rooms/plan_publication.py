"""Planning of a publication: the sections of an offer become tracks with layers."""

from __future__ import annotations

from media_node.errors import OfferInvalid, WrongRole
from media_node.forwarding.layer import Encoding
from media_node.forwarding.track import LAYER_LIMIT, PublishedTrack, rids_lowest_first
from media_node.grants import SOURCES, Source
from media_node.stats import Stats
from media_node.wire.answer import SectionAnswer
from media_node.wire.extensions import AUDIO_LEVEL, FROM_PUBLISHERS, MID
from media_node.wire.negotiation import Choice, choose_audio, choose_published_video, is_media
from media_node.wire.sdp import MediaSection, SessionDescription

_UNCARRIED = {
    "audio": "The offer's audio must include Opus.",
    "video": "The offer's video must include VP8, or H.264 with packetization-mode=1.",
}
_MONO_OPUS = "The offer's Opus must be written opus/48000/2, also for mono (RFC 7587 section 7)."
# A participant's sources by the order of the sections.
_SOURCES_OF: dict[str, tuple[Source, ...]] = {"audio": ("audio",), "video": ("camera", "screen")}


def plan_publication(
    offer: SessionDescription,
    *,
    start_bits_per_second: int,
    stats: Stats,
    sources: tuple[Source, ...] = SOURCES,
    is_guest: bool = False,
) -> tuple[list[PublishedTrack], list[SectionAnswer]]:
    """Return the tracks that an offer publishes and the answers to its sections.

    The first audio section is the microphone, the first video section the camera and the second the screen. Sections
    that the grant does not allow are answered as inactive. Guests are asked to use DTX.

    Raises OfferInvalid if a kind is offered only in unsupported codecs, since going live with half of the media would
    be worse, and WrongRole if the grant allows none of the sections.
    """
    # Chromium starts at 300 kbit/s and takes many seconds to ramp up without this hint. Most of a large stage is
    # silent: without DTX (RFC 7587 section 6.1) each silent participant sends 50 packets a second to each viewer.
    hints: dict[Source, str] = {
        "camera": f"x-google-start-bitrate={start_bits_per_second // 1000}",
        "audio": "usedtx=1" if is_guest else "",
    }
    left = {kind: list(of_kind) for kind, of_kind in _SOURCES_OF.items()}
    tracks: list[PublishedTrack] = []
    answers: list[SectionAnswer] = []
    is_anything_sent = False
    for section in offer.media:
        is_sent = is_media(section) and section.direction in ("sendonly", "sendrecv")
        if not is_sent or not left[section.kind]:
            answers.append(SectionAnswer(section=section))
            continue
        source = left[section.kind].pop(0)
        choice = choose_audio(section) if section.kind == "audio" else choose_published_video(section)
        if choice is None:
            raise OfferInvalid(_MONO_OPUS if section.is_opus_mono else _UNCARRIED[section.kind])
        is_anything_sent = True
        if source not in sources:
            answers.append(SectionAnswer(section=section, choice=choice))
            continue
        track = _track(section, source=source, choice=choice, stats=stats)
        tracks.append(track)
        answers.append(_answer(section, track=track, hint=hints.get(source, "")))
    if not is_anything_sent:
        raise OfferInvalid("The offer publishes neither audio nor video.")
    if not tracks:
        raise WrongRole("The media token does not allow to send any of this.")
    return tracks, answers


def _track(section: MediaSection, *, source: Source, choice: Choice, stats: Stats) -> PublishedTrack:
    is_video = source != "audio"
    rids = _layers(section) if source == "camera" else []
    if rids:
        encodings = [Encoding(codec=choice.codec, is_video=True, stats=stats, rid=rid) for rid in rids]
    else:
        repairs = set(section.retransmission_ssrcs.values())
        ssrc = next((ssrc for ssrc in section.ssrcs if ssrc not in repairs), None)
        repair = section.retransmission_ssrcs.get(ssrc) if ssrc is not None else None
        encodings = [
            Encoding(
                codec=choice.codec,
                is_video=is_video,
                stats=stats,
                parameters=choice.parameters,
                ssrc=ssrc,
                repair_ssrc=repair,
            )
        ]
    return PublishedTrack(source=source, choice=choice, stats=stats, mid=section.mid, encodings=encodings)


def _layers(section: MediaSection) -> list[str]:
    """Return the rids of the layers, lowest first, at most three."""
    offered = [rid for rid in dict.fromkeys(section.simulcast) if rid in section.rids]
    return rids_lowest_first(offered)[:LAYER_LIMIT]


def _answer(section: MediaSection, *, track: PublishedTrack, hint: str) -> SectionAnswer:
    taken = {encoding.rid for encoding in track.encodings if encoding.rid}
    return SectionAnswer(
        section=section,
        choice=track.choice,
        direction="recvonly",
        extra_parameters=hint,
        extensions=FROM_PUBLISHERS[track.kind],
        rids=tuple(rid for rid in section.simulcast if rid in taken),
    )


def extension_numbers(offer: SessionDescription) -> dict[str, int]:
    """Return the IDs of the header extensions the node reads, which are the same in all bundled sections (RFC 8843
    section 9)."""
    numbers: dict[str, int] = {}
    for section in offer.media:
        for uri in (MID, AUDIO_LEVEL, *FROM_PUBLISHERS["video"]):
            if uri in section.extensions:
                numbers.setdefault(uri, section.extensions[uri])
    return numbers
