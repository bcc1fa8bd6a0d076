"""Reading session descriptions (RFC 8866; WebRTC's use of them RFC 8829, ICE attributes RFC 8839)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from media_node.errors import OfferInvalid

# A browser that receives 24 pictures and 24 sounds sends 4700 lines.
LINE_LIMIT = 8000
SECTION_LIMIT = 64
FORMAT_LIMIT = 128
_DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
_SETUPS = frozenset({"actpass", "active", "passive"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`{|}~A-Za-z0-9-]{1,64}")
_ICE_TEXT = re.compile(r"[A-Za-z0-9+/=_-]{1,256}")
_RID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){15,63}")


@dataclass(frozen=True, slots=True)
class Codec:
    """An rtpmap: `name` in upper case."""

    name: str
    clock_rate: int
    channels: int = 1

    def __str__(self) -> str:
        name = self.name.lower() if self.name in ("OPUS", "RTX") else self.name
        return f"{name}/{self.clock_rate}" + (f"/{self.channels}" if self.channels > 1 else "")


@dataclass(slots=True)
class MediaSection:
    """One m-section. `formats` holds payload types in the offer's order of preference; `extensions` header
    extensions by their URI; `simulcast` the layers that are sent, in the offer's order (RFC 8853)."""

    kind: str
    port: int
    protocol: str
    raw_formats: list[str]
    formats: list[int] = field(default_factory=list)
    mid: str = ""
    direction: str = ""
    codecs: dict[int, Codec] = field(default_factory=dict)
    parameters: dict[int, str] = field(default_factory=dict)
    feedback: dict[int, list[str]] = field(default_factory=dict)
    ssrcs: list[int] = field(default_factory=list)
    retransmission_ssrcs: dict[int, int] = field(default_factory=dict)
    extensions: dict[str, int] = field(default_factory=dict)
    rids: list[str] = field(default_factory=list)
    simulcast: list[str] = field(default_factory=list)
    ice_ufrag: str = ""
    ice_pwd: str = ""
    fingerprint: tuple[str, str] | None = None
    setup: str = ""

    def retransmission_of(self, payload_type: int) -> int | None:
        """The RTX payload type that repairs this one (RFC 4588 section 8)."""
        for candidate, codec in self.codecs.items():
            if codec.name == "RTX" and parameter_of(self.parameters.get(candidate, ""), "apt") == str(payload_type):
                return candidate
        return None


@dataclass(slots=True)
class SessionDescription:
    """An offer. Session-level attributes have been handed down to every section."""

    media: list[MediaSection]
    bundle: list[str]


def sdp_parse(text: str) -> SessionDescription:
    """An offer from its text. Raises OfferInvalid; attributes not used here are skipped unread."""
    lines = text.replace("\r\n", "\n").split("\n")
    if len(lines) > LINE_LIMIT:
        raise OfferInvalid("The offer has too many lines.")
    if not lines[0].startswith("v=0"):
        raise OfferInvalid("The offer does not start with v=0.")
    session = MediaSection("session", 0, "", [])
    bundle: list[str] = []
    media: list[MediaSection] = []
    current = session
    for line in lines:
        if line.startswith("m="):
            current = _section(line[2:])
            media.append(current)
            if len(media) > SECTION_LIMIT:
                raise OfferInvalid("The offer has too many media sections.")
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            if current is session and name == "group" and value.startswith("BUNDLE"):
                bundle = value.split()[1:]
            else:
                _attribute(current, name=name, value=value.strip())
    if not media:
        raise OfferInvalid("The offer has no media section.")
    _inherit(session, media)
    _require_distinct_mids(media)
    return SessionDescription(media=media, bundle=bundle)


def parameter_of(parameters: str, name: str) -> str | None:
    """One value out of an fmtp line, lower case; None when it is not there."""
    for part in parameters.split(";"):
        key, _, value = part.strip().partition("=")
        if key.strip().lower() == name:
            return value.strip().lower()
    return None


def _section(text: str) -> MediaSection:
    fields = text.split()
    if len(fields) < 4 or not fields[1].isascii() or not fields[1].isdigit() or len(fields[1]) > 5:
        raise OfferInvalid("The offer has a media line that cannot be read.")
    if not _TOKEN.fullmatch(fields[0]) or len(fields) > FORMAT_LIMIT + 3:
        raise OfferInvalid("The offer has a media line that cannot be read.")
    section = MediaSection(fields[0], int(fields[1]), fields[2], fields[3:])
    if not all(_TOKEN.fullmatch(part) for part in [*fields[3:], *fields[2].split("/")]):
        raise OfferInvalid("The offer has a media line that cannot be read.")
    section.formats = [number for number in map(_payload_type, fields[3:]) if number is not None]
    return section


def _attribute(section: MediaSection, *, name: str, value: str) -> None:
    if name in _DIRECTIONS:
        section.direction = name
    elif name in _TRANSPORT:
        _transport_attribute(section, name=name, value=value)
    elif name in ("rtpmap", "fmtp", "rtcp-fb"):
        _codec_attribute(section, name=name, value=value)
    elif name == "mid":
        if not _TOKEN.fullmatch(value):
            raise OfferInvalid("The offer has a media id that cannot be read.")
        section.mid = value
    elif name in ("extmap", "rid", "simulcast"):
        _layer_attribute(section, name=name, value=value)
    elif name == "ssrc":
        ssrc = _number(value.split(" ", 1)[0])
        if ssrc is not None and ssrc not in section.ssrcs and len(section.ssrcs) < 16:
            section.ssrcs.append(ssrc)
    elif name == "ssrc-group" and value.startswith("FID "):
        pair = [_number(part) for part in value.split()[1:3]]
        if len(pair) == 2 and pair[0] is not None and pair[1] is not None:
            section.retransmission_ssrcs[pair[0]] = pair[1]


def _layer_attribute(section: MediaSection, *, name: str, value: str) -> None:
    fields = value.split()
    if len(fields) < 2:
        return
    if name == "extmap":
        number = _number(fields[0].partition("/")[0])
        if number is not None and 0 < number < 256 and number != 15:
            section.extensions.setdefault(fields[1], number)
    elif name == "rid":
        if fields[1] == "send" and _RID.fullmatch(fields[0]) and len(section.rids) < 16:
            section.rids.append(fields[0])
    elif "send" in fields[:-1]:
        # Of alternatives the first; "~" marks a layer that is paused for now.
        layers = fields[fields.index("send") + 1].split(";")
        section.simulcast = [layer.split(",")[0].removeprefix("~") for layer in layers][:16]


_TRANSPORT = frozenset({"ice-ufrag", "ice-pwd", "fingerprint", "setup"})


def _transport_attribute(section: MediaSection, *, name: str, value: str) -> None:
    if name == "setup":
        if value not in _SETUPS:
            raise OfferInvalid("The offer has a DTLS role that cannot be answered.")
        section.setup = value
    elif name == "fingerprint":
        algorithm, _, digest = value.partition(" ")
        if not _FINGERPRINT.fullmatch(digest.strip()):
            raise OfferInvalid("The offer has a DTLS fingerprint that cannot be read.")
        # Several may be given; SHA-256 is the one that everybody has.
        if section.fingerprint is None or algorithm.lower() == "sha-256":
            section.fingerprint = (algorithm.lower(), digest.strip().upper())
    elif not _ICE_TEXT.fullmatch(value):
        raise OfferInvalid("The offer has ICE credentials that cannot be read.")
    elif name == "ice-ufrag":
        section.ice_ufrag = value
    else:
        section.ice_pwd = value


def _codec_attribute(section: MediaSection, *, name: str, value: str) -> None:
    head, _, rest = value.partition(" ")
    rest = rest.strip()
    if name == "rtcp-fb" and head == "*":
        for number in section.formats:
            section.feedback.setdefault(number, []).append(rest)
        return
    payload_type = _payload_type(head)
    if payload_type is None or payload_type not in section.formats:
        return
    if name == "fmtp":
        section.parameters[payload_type] = _printable(rest)
    elif name == "rtcp-fb":
        section.feedback.setdefault(payload_type, []).append(rest)
    else:
        codec = _codec(rest)
        if codec is not None:
            section.codecs[payload_type] = codec


def _codec(text: str) -> Codec | None:
    parts = text.split("/")
    clock_rate = _number(parts[1]) if len(parts) > 1 else None
    channels = _number(parts[2]) if len(parts) > 2 else 1
    if not _TOKEN.fullmatch(parts[0]) or not clock_rate or not channels or channels > 8:
        return None
    return Codec(parts[0].upper(), clock_rate, channels)


def _printable(text: str) -> str:
    if len(text) > 1024 or not text.isascii() or not text.isprintable():
        raise OfferInvalid("The offer has codec parameters that cannot be read.")
    return text


def _payload_type(text: str) -> int | None:
    number = _number(text)
    return number if number is not None and number < 128 else None


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
