"""Choosing codecs: what a publisher may send, and how a viewer must be sent it.

VP8 (RFC 7741), H.264 with packetization-mode 1 (RFC 6184 section 8.1) and Opus (RFC 7587).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from media_node.errors import OfferInvalid
from media_node.wire.dtls import FINGERPRINT_ALGORITHMS
from media_node.wire.sdp import H264, OPUS, VP8, Codec, MediaSection, SessionDescription, parameter_of

VIDEO_CODECS = (VP8, H264)
# Browsers offer H.264 in six ways; more than this is not looked at.
_CONSIDERED = 12
_PROTOCOLS = frozenset(
    {"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF"}
)
_DEFAULT_PROFILE = "420010"
_CONSTRAINED_BASELINE, _BASELINE = "42e0", "4200"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A codec of an offer that both sides will use, under the offer's payload types."""

    payload_type: int
    codec: Codec
    parameters: str
    retransmission_type: int | None
    feedback: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTransport:
    """What the offer says of the peer's side of the one bundled transport."""

    ice_ufrag: str
    algorithm: str
    fingerprint: str
    is_dtls_server: bool


def remote_transport(offer: SessionDescription) -> RemoteTransport:
    """The peer's transport. Raises OfferInvalid when ICE or DTLS is missing, or sections are not bundled."""
    if offer.is_lite:
        raise OfferInvalid("The offer is ICE-lite, and so is this server: one side must send connectivity checks.")
    media = [section for section in offer.media if is_media(section)]
    if not media:
        raise OfferInvalid("The offer has neither audio nor video that could be carried here.")
    order = {mid: place for place, mid in enumerate(offer.bundle)}
    if len(media) > 1 and not all(section.mid in order for section in media):
        raise OfferInvalid("The offer must bundle its media sections into one transport.")
    # The transport is that of the bundle's first section that we accept, or, where bundle-only sections have
    # none of their own, of the bundle's first section, whatever it is for (RFC 9143 section 7.2 and 7.3).
    media.sort(key=lambda section: order.get(section.mid, 0))
    others = [section for section in offer.media if section.mid in order and media[0].mid in order]
    others.sort(key=lambda section: order[section.mid])
    first = next((section for section in [*media, *others] if section.ice_ufrag and section.ice_pwd), None)
    if first is None:
        raise OfferInvalid("The offer has no ICE credentials.")
    if first.fingerprint is None:
        raise OfferInvalid("The offer has no DTLS fingerprint.")
    algorithm, fingerprint = first.fingerprint
    if algorithm not in FINGERPRINT_ALGORITHMS:
        raise OfferInvalid("The offer's DTLS fingerprint is not SHA-256, SHA-384 or SHA-512.")
    return RemoteTransport(
        ice_ufrag=first.ice_ufrag,
        algorithm=algorithm,
        fingerprint=fingerprint,
        is_dtls_server=first.setup == "passive",
    )


def is_media(section: MediaSection) -> bool:
    """Whether a section is audio or video over DTLS-SRTP that the offerer wants to use."""
    if section.kind not in ("audio", "video") or section.protocol not in _PROTOCOLS:
        return False
    # Port 0 rejects a section, except a bundle-only one, which browsers offer so.
    return section.port != 0 or bool(section.mid)


def choose_audio(section: MediaSection) -> Choice | None:
    """Opus, if it is offered."""
    for payload_type in section.formats:
        if section.codecs.get(payload_type) == OPUS:
            return _choice(section, payload_type)
    return None


def choose_published_video(section: MediaSection) -> Choice | None:
    """The first of VP8 and H.264 in the publisher's order of preference; of several H.264 profiles the one
    that most viewers can decode, since they will be offered no other."""
    usable = _carried(section, VIDEO_CODECS)
    if not usable:
        return None
    first = usable[0]
    alike = [number for number in usable if section.codecs[number] == section.codecs[first]]
    for profile in (_CONSTRAINED_BASELINE, _BASELINE):
        for number in alike if section.codecs[first] == H264 else []:
            if h264_profile(section.parameters.get(number, "")) == profile:
                return _choice(section, number)
    return _choice(section, first)


def choose_watched_video(section: MediaSection, *, codec: Codec, parameters: str) -> Choice | None:
    """The viewer's payload type for exactly this stream. For H.264 the same profile, else one that includes
    it, else any: browsers decode more than they announce, and a likely picture is better than none."""
    usable = _carried(section, (codec,))
    if not usable or codec != H264:
        return _choice(section, usable[0]) if usable else None
    sent = h264_profile(parameters)
    profiles = {number: h264_profile(section.parameters.get(number, "")) for number in usable}
    same = [number for number in usable if profiles[number] == sent]
    wider = [number for number in usable if _decodes(offered=profiles[number], sent=sent)]
    return _choice(section, [*same, *wider, *usable][0])


def h264_profile(parameters: str) -> str:
    """Profile and constraints of an H.264 fmtp as four hexadecimal digits, the level left out. All ways
    to write constrained baseline (RFC 6184 table 5) give "42e0"."""
    return _h264(parameters)[0]


@lru_cache(maxsize=256)
def _h264(parameters: str) -> tuple[str, bool]:
    """The profile, and whether fragments may be sent (packetization-mode 1)."""
    is_fragmented = parameter_of(parameters, "packetization-mode") == "1"
    value = parameter_of(parameters, "profile-level-id") or _DEFAULT_PROFILE
    try:
        profile, constraints = int(value[0:2], 16), int(value[2:4], 16)
    except ValueError:
        return _BASELINE, is_fragmented
    if (profile == 0x42 and constraints & 0x40) or (profile == 0x4D and constraints & 0x80):
        return _CONSTRAINED_BASELINE, is_fragmented
    if profile == 0x42:
        return _BASELINE, is_fragmented
    return f"{profile:02x}{constraints & 0xFC:02x}", is_fragmented


def _decodes(*, offered: str, sent: str) -> bool:
    if sent == _CONSTRAINED_BASELINE:
        return True
    if sent == _BASELINE:
        # Plain baseline on the wire is constrained baseline from every encoder in use.
        return offered in (_BASELINE, _CONSTRAINED_BASELINE)
    # A decoder of High decodes Main; constrained forms are subsets of their profile.
    decoders = {"4d": ("4d", "64"), "64": ("64",)}.get(sent[:2], ())
    return offered[:2] in decoders


def _carried(section: MediaSection, codecs: tuple[Codec, ...]) -> list[int]:
    """The payload types of these codecs that can be carried, the first dozen."""
    known = [number for number in section.formats if section.codecs.get(number) in codecs][:_CONSIDERED]
    return [n for n in known if section.codecs[n] != H264 or _h264(section.parameters.get(n, ""))[1]]


def _choice(section: MediaSection, payload_type: int) -> Choice:
    return Choice(
        payload_type=payload_type,
        codec=section.codecs[payload_type],
        parameters=section.parameters.get(payload_type, ""),
        retransmission_type=section.retransmission_of(payload_type),
        feedback=section.feedback_for(payload_type),
    )
