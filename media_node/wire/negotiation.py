"""Codec negotiation for publishers and viewers.

VP8 (RFC 7741), H.264 with packetization-mode 1 (RFC 6184 section 8.1) and Opus (RFC 7587).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from media_node.errors import OfferInvalid
from media_node.wire.dtls import FINGERPRINT_ALGORITHMS
from media_node.wire.sdp import H264, OPUS, VP8, Codec, MediaSection, SessionDescription, parameter_of

VIDEO_CODECS = (VP8, H264)
# Browsers offer H.264 in six variants. More payload types than this are ignored.
_CONSIDERED = 12
_PROTOCOLS = frozenset(
    {"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF"}
)
_DEFAULT_PROFILE = "420010"
_CONSTRAINED_BASELINE, _BASELINE = "42e0", "4200"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A negotiated codec, with the offer's payload types."""

    payload_type: int
    codec: Codec
    parameters: str
    retransmission_type: int | None
    feedback: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTransport:
    """The peer's parameters of the bundled transport, from its offer."""

    ice_ufrag: str
    algorithm: str
    fingerprint: str
    is_dtls_server: bool


def remote_transport(offer: SessionDescription) -> RemoteTransport:
    """Return the peer's transport. Raises OfferInvalid if ICE or DTLS is missing, or sections are not bundled."""
    if offer.is_lite:
        raise OfferInvalid("The offer is ICE-lite, and so is this server: one side must send connectivity checks.")
    media = [section for section in offer.media if is_media(section)]
    if not media:
        raise OfferInvalid("The offer has neither audio nor video that could be carried here.")
    order = {mid: position for position, mid in enumerate(offer.bundle)}
    if len(media) > 1 and not all(section.mid in order for section in media):
        raise OfferInvalid("The offer must bundle its media sections into one transport.")
    # The transport is that of the bundle's first accepted section. If bundle-only sections have none of their own, it
    # is that of the bundle's first section of any kind (RFC 9143 sections 7.2 and 7.3).
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
    """Return whether a section is audio or video over DTLS-SRTP and not rejected by the offerer."""
    if section.kind not in ("audio", "video") or section.protocol not in _PROTOCOLS:
        return False
    # Port 0 rejects a section, except a bundle-only one, which browsers offer with port 0.
    return section.port != 0 or bool(section.mid)


def choose_audio(section: MediaSection) -> Choice | None:
    """Return Opus if it is offered, otherwise None."""
    for payload_type in section.formats:
        if section.codecs.get(payload_type) == OPUS:
            return _choice(section, payload_type)
    return None


def choose_published_video(section: MediaSection) -> Choice | None:
    """Return the publisher's first choice of VP8 and H.264. Among several H.264 profiles prefer the one that most
    viewers can decode, because they get no other."""
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
    """Return the viewer's payload type for this stream.

    For H.264 take the same profile, otherwise one that includes it, otherwise any: browsers decode more than they
    announce, and a probable video is better than none.
    """
    usable = _carried(section, (codec,))
    if not usable or codec != H264:
        return _choice(section, usable[0]) if usable else None
    sent = h264_profile(parameters)
    profiles = {number: h264_profile(section.parameters.get(number, "")) for number in usable}
    same = [number for number in usable if profiles[number] == sent]
    wider = [number for number in usable if _decodes(offered=profiles[number], sent=sent)]
    return _choice(section, [*same, *wider, *usable][0])


def h264_profile(parameters: str) -> str:
    """Return profile and constraints of an H.264 fmtp as four hexadecimal digits, without the level. All forms of
    constrained baseline (RFC 6184 table 5) return "42e0"."""
    return _h264(parameters)[0]


@lru_cache(maxsize=256)
def _h264(parameters: str) -> tuple[str, bool]:
    """Return the profile, and whether fragments are allowed (packetization-mode 1)."""
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
        # All encoders in use that announce baseline send constrained baseline.
        return offered in (_BASELINE, _CONSTRAINED_BASELINE)
    # A High decoder also decodes Main. Constrained variants are subsets of their profile.
    decoders = {"4d": ("4d", "64"), "64": ("64",)}.get(sent[:2], ())
    return offered[:2] in decoders


def _carried(section: MediaSection, codecs: tuple[Codec, ...]) -> list[int]:
    """Return the supported payload types of these codecs among the first dozen."""
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
