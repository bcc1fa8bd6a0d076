"""Parsing of session descriptions (RFC 8866; WebRTC RFC 8829, ICE attributes RFC 8839)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from media_node.errors import OfferInvalid

# An offer from a browser that receives 24 video and 24 audio sections has 4700 lines in 48 sections.
LINE_LIMIT = 6000
LINE_CHARACTERS = 4200
SECTION_LIMIT = 64
FORMAT_LIMIT = 128
FORMATS_IN_ALL = 2048
SSRC_LIMIT = 16
# How often a section may repeat an attribute. Attributes missing here are not parsed. A browser's video section has
# about 20 codecs, 60 lines of feedback and 14 extensions.
REPEAT_LIMITS = {
    **dict.fromkeys(("sendrecv", "sendonly", "recvonly", "inactive", "group", "ice-lite", "mid", "setup"), 8),
    **dict.fromkeys(("ice-ufrag", "ice-pwd", "fingerprint", "simulcast"), 8),
    **dict.fromkeys(("ssrc-group", "rid"), 16),
    **dict.fromkeys(("extmap", "ssrc"), 64),
    **dict.fromkeys(("rtpmap", "fmtp"), FORMAT_LIMIT),
    "rtcp-fb": 512,
}
# The supported feedback messages.
FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb")
_SETUPS = frozenset({"actpass", "active", "passive"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`{|}~A-Za-z0-9-]{1,64}")
_MEDIA = re.compile(
    rf"({_TOKEN.pattern}) ([0-9]{{1,5}}) ({_TOKEN.pattern}(?:/{_TOKEN.pattern})*)((?: {_TOKEN.pattern})+)"
)
_ICE_TEXT = re.compile(r"[A-Za-z0-9+/=_-]{1,256}")
_RID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){15,63}")
_PAYLOAD_TYPES = {str(number): number for number in range(128)}
# Matched in lower case. White space may follow a name.
_PARAMETERS = {
    name: re.compile(rf"{name}\s*=([^;]*)")
    for name in ("apt", "packetization-mode", "profile-level-id", "sprop-parameter-sets")
}


class Codec(NamedTuple):
    """An rtpmap. `name` is in upper case."""

    name: str
    clock_rate: int
    channels: int = 1

    def __str__(self) -> str:
        name = self.name.lower() if self.name in ("OPUS", "RTX") else self.name
        return f"{name}/{self.clock_rate}" + (f"/{self.channels}" if self.channels > 1 else "")


VP8, H264, OPUS = Codec("VP8", 90000), Codec("H264", 90000), Codec("OPUS", 48000, 2)
# The supported codecs, by their rtpmap in upper case.
_REPAIRS = (Codec("RTX", 90000), Codec("RTX", 48000))
_CODECS = {str(codec).upper(): codec for codec in (VP8, H264, OPUS, *_REPAIRS)}
_MONO = frozenset({"OPUS/48000", "OPUS/48000/1"})


@dataclass(slots=True)
class MediaSection:
    """One m-section.

    `formats` are payload types in the offer's order of preference, `codecs` the supported ones and RTX. `feedback` has
    lines such as "96 nack" or "* nack". `extensions` are header extension IDs by URI. `simulcast` are the sent layers
    in the offer's order (RFC 8853).
    """

    kind: str
    port: int
    protocol: str
    raw_formats: list[str]
    formats: list[int] = field(default_factory=list)
    mid: str = ""
    direction: str = ""
    is_lite: bool = False
    is_opus_mono: bool = False
    codecs: dict[int, Codec] = field(default_factory=dict)
    parameters: dict[int, str] = field(default_factory=dict)
    feedback: set[str] = field(default_factory=set)
    ssrcs: list[int] = field(default_factory=list)
    retransmission_ssrcs: dict[int, int] = field(default_factory=dict)
    extensions: dict[str, int] = field(default_factory=dict)
    rids: list[str] = field(default_factory=list)
    simulcast: list[str] = field(default_factory=list)
    ice_ufrag: str = ""
    ice_pwd: str = ""
    fingerprint: tuple[str, str] | None = None
    setup: str = ""
    bundle: list[str] = field(default_factory=list)
    _repairs: dict[str | None, int] | None = field(default=None, compare=False)

    def retransmission_of(self, payload_type: int) -> int | None:
        """Return the RTX payload type for a payload type (RFC 4588 section 8)."""
        if self._repairs is None:
            repairs = [number for number in self.formats if self.codecs.get(number) in _REPAIRS]
            self._repairs = {self._repaired_by(number): number for number in reversed(repairs)}
        return self._repairs.get(str(payload_type))

    def _repaired_by(self, number: int) -> str | None:
        text = self.parameters.get(number, "")
        return text[4:] if text[:4] == "apt=" and text[4:].isdigit() else parameter_of(text, "apt")

    def feedback_for(self, payload_type: int) -> tuple[str, ...]:
        """Return the feedback for a payload type that both sides support."""
        lines = self.feedback
        return tuple(kind for kind in FEEDBACK if f"{payload_type} {kind}" in lines or f"* {kind}" in lines)


@dataclass(slots=True)
class SessionDescription:
    """An offer. Session-level attributes are copied to all sections."""

    media: list[MediaSection]
    bundle: list[str]
    is_lite: bool = False


def sdp_parse(text: str) -> SessionDescription:
    """Parse an offer. Attributes that are not used are skipped. Raises OfferInvalid."""
    lines = text.replace("\r\n", "\n").split("\n")
    if len(lines) > LINE_LIMIT:
        raise OfferInvalid("The offer has too many lines.")
    if max(map(len, lines)) > LINE_CHARACTERS:
        raise OfferInvalid("The offer has a line that is too long.")
    if not lines[0].startswith("v=0"):
        raise OfferInvalid("The offer does not start with v=0.")
    session = current = MediaSection("session", 0, "", [])
    left = dict(_REPEATS)
    media: list[MediaSection] = []
    formats = 0
    for line in lines:
        name, _, value = line.partition(":")
        read = _READERS.get(name)
        if read is not None:
            left[name] -= 1
            if left[name] < 0:
                raise OfferInvalid(f"The offer repeats {name} too often in one section.")
            read(current, name, value.strip())
        elif line[:2] == "m=":
            current = _section(line[2:])
            media.append(current)
            left = dict(_REPEATS)
            formats += len(current.raw_formats)
            if len(media) > SECTION_LIMIT or formats > FORMATS_IN_ALL:
                raise OfferInvalid("The offer has too many media sections or formats.")
    if not media:
        raise OfferInvalid("The offer has no media section.")
    _inherit(session, media)
    _require_distinct_mids(media)
    return SessionDescription(media=media, bundle=session.bundle, is_lite=session.is_lite)


def parameter_of(parameters: str, name: str) -> str | None:
    """Return one value of an fmtp line, or None."""
    lowered = parameters.lower()
    for found in islice(_PARAMETERS[name].finditer(lowered), 4):
        before = lowered[: found.start()].rstrip()
        if not before or before[-1] == ";":
            return parameters[found.start(1) : found.end(1)].strip()
    return None


def _section(text: str) -> MediaSection:
    found = _MEDIA.fullmatch(" ".join(text.split()))
    raw_formats = found[4].split() if found is not None else []
    if found is None or len(raw_formats) > FORMAT_LIMIT:
        raise OfferInvalid("The offer has a media line that cannot be read.")
    section = MediaSection(found[1], int(found[2]), found[3], raw_formats)
    numbers = (_PAYLOAD_TYPES.get(name) for name in dict.fromkeys(raw_formats))
    section.formats = [number for number in numbers if number is not None]
    return section


# -- attribute readers

Reader = Callable[[MediaSection, str, str], None]


def _direction(section: MediaSection, name: str, value: str) -> None:
    section.direction = name[2:]


def _lite(section: MediaSection, name: str, value: str) -> None:
    section.is_lite = True


def _group(section: MediaSection, name: str, value: str) -> None:
    if value.startswith("BUNDLE"):
        section.bundle = value.split()[1 : SECTION_LIMIT + 1]


def _mid(section: MediaSection, name: str, value: str) -> None:
    if not _TOKEN.fullmatch(value):
        raise OfferInvalid("The offer has a media id that cannot be read.")
    section.mid = value


def _setup(section: MediaSection, name: str, value: str) -> None:
    if value not in _SETUPS:
        raise OfferInvalid("The offer has a DTLS role that cannot be answered.")
    section.setup = value


def _fingerprint(section: MediaSection, name: str, value: str) -> None:
    algorithm, _, digest = value.partition(" ")
    if not _FINGERPRINT.fullmatch(digest.strip()):
        raise OfferInvalid("The offer has a DTLS fingerprint that cannot be read.")
    # There may be several. SHA-256 is supported everywhere.
    if section.fingerprint is None or algorithm.lower() == "sha-256":
        section.fingerprint = (algorithm.lower(), digest.strip().upper())


def _ice(section: MediaSection, name: str, value: str) -> None:
    if not _ICE_TEXT.fullmatch(value):
        raise OfferInvalid("The offer has ICE credentials that cannot be read.")
    if name == "a=ice-ufrag":
        section.ice_ufrag = value
    else:
        section.ice_pwd = value


def _rtpmap(section: MediaSection, name: str, value: str) -> None:
    head, _, text = value.partition(" ")
    text = text.strip().upper()
    number, codec = _PAYLOAD_TYPES.get(head), _CODECS.get(text)
    if number is not None and codec is not None:
        section.codecs[number] = codec
    elif text in _MONO:
        section.is_opus_mono = True


def _fmtp(section: MediaSection, name: str, value: str) -> None:
    head, _, text = value.partition(" ")
    if len(text) > 1024 or not text.isascii() or not text.isprintable():
        raise OfferInvalid("The offer has codec parameters that cannot be read.")
    number = _PAYLOAD_TYPES.get(head)
    if number is not None:
        section.parameters[number] = text.strip()


def _feedback(section: MediaSection, name: str, value: str) -> None:
    section.feedback.add(value)


def _extmap(section: MediaSection, name: str, value: str) -> None:
    fields = value.split(None, 2)
    if len(fields) > 1:
        number = _number(fields[0].partition("/")[0])
        if number is not None and 0 < number < 256 and number != 15:
            section.extensions.setdefault(fields[1], number)


def _rid(section: MediaSection, name: str, value: str) -> None:
    fields = value.split(None, 2)
    if len(fields) > 1 and fields[1] == "send" and _RID.fullmatch(fields[0]):
        section.rids.append(fields[0])


def _simulcast(section: MediaSection, name: str, value: str) -> None:
    fields = value.split(None, 4)
    if "send" in fields[:-1]:
        # Take the first of alternatives. "~" marks a paused layer.
        layers = fields[fields.index("send") + 1].split(";", 16)[:16]
        section.simulcast = [layer.partition(",")[0].removeprefix("~") for layer in layers]


def _ssrc(section: MediaSection, name: str, value: str) -> None:
    ssrc = _number(value.partition(" ")[0])
    if ssrc is not None and ssrc not in section.ssrcs and len(section.ssrcs) < SSRC_LIMIT:
        section.ssrcs.append(ssrc)


def _ssrc_group(section: MediaSection, name: str, value: str) -> None:
    fields = value.split(None, 3)
    if len(fields) > 2 and fields[0] == "FID":
        media, repair = _number(fields[1]), _number(fields[2])
        if media is not None and repair is not None:
            section.retransmission_ssrcs[media] = repair


_READERS: dict[str, Reader] = {
    "a=sendrecv": _direction,
    "a=sendonly": _direction,
    "a=recvonly": _direction,
    "a=inactive": _direction,
    "a=ice-lite": _lite,
    "a=group": _group,
    "a=mid": _mid,
    "a=setup": _setup,
    "a=fingerprint": _fingerprint,
    "a=ice-ufrag": _ice,
    "a=ice-pwd": _ice,
    "a=rtpmap": _rtpmap,
    "a=fmtp": _fmtp,
    "a=rtcp-fb": _feedback,
    "a=extmap": _extmap,
    "a=rid": _rid,
    "a=simulcast": _simulcast,
    "a=ssrc": _ssrc,
    "a=ssrc-group": _ssrc_group,
}
_REPEATS = {f"a={name}": limit for name, limit in REPEAT_LIMITS.items()}


def _number(text: str) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        return None
    number = int(text)
    return number if number < 2**32 else None


def _inherit(session: MediaSection, media: list[MediaSection]) -> None:
    for section in media:
        section.ice_ufrag = section.ice_ufrag or session.ice_ufrag
        section.ice_pwd = section.ice_pwd or session.ice_pwd
        section.fingerprint = section.fingerprint or session.fingerprint
        section.setup = section.setup or session.setup or "actpass"
        section.direction = section.direction or session.direction or "sendrecv"


def _require_distinct_mids(media: list[MediaSection]) -> None:
    mids = [section.mid for section in media if section.mid]
    if len(mids) != len(set(mids)):
        raise OfferInvalid("The offer uses one media id twice.")
