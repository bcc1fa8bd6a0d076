"""Writing of SDP answers (RFC 8829 section 5.3; ICE-lite RFC 8445 section 2.5; bundle RFC 9143)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from media_node.wire.negotiation import Choice
from media_node.wire.sdp import MediaSection

CNAME = "livestream"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTransport:
    """The local side of the bundled transport. `setup` is "active" or "passive"."""

    ice_ufrag: str
    ice_pwd: str
    fingerprint: str
    setup: str
    candidates: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionAnswer:
    """The answer to one section of the offer; without a choice the section is rejected.

    `also` are further codecs that may be sent, `extensions` URIs from the offer, and `rids` the received layers, in the
    offer's order.
    """

    section: MediaSection
    choice: Choice | None = None
    direction: str = "inactive"
    ssrc: int | None = None
    retransmission_ssrc: int | None = None
    stream: str = ""
    extra_parameters: str = ""
    also: tuple[Choice, ...] = ()
    extensions: tuple[str, ...] = ()
    rids: tuple[str, ...] = ()


def answer_write(*, sections: list[SectionAnswer], transport: LocalTransport, bundle: Sequence[str] = ()) -> str:
    """Return the text of the answer. Sections and the bundle group keep their order in the offer."""
    mids = [answer.section.mid for answer in sections if answer.choice is not None and answer.section.mid]
    order = {mid: position for position, mid in enumerate(bundle)}
    mids.sort(key=lambda mid: order.get(mid, 0))
    lines = [
        "v=0",
        f"o=- {secrets.randbits(62)} 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        *([f"a=group:BUNDLE {' '.join(mids)}"] if mids else []),
        "a=msid-semantic: WMS *",
    ]
    # The candidates of the bundle's first section apply to all (RFC 9143 section 7.1.3).
    candidates = [f"a={line}" for line in transport.candidates] + ["a=end-of-candidates"]
    for answer in sections:
        if answer.choice is None:
            lines += _rejected(answer.section)
            continue
        lines += _accepted(answer, choice=answer.choice, transport=transport)
        if not mids or answer.section.mid == mids[0]:
            lines += candidates
    return "\r\n".join(lines) + "\r\n"


def _rejected(section: MediaSection) -> list[str]:
    mid = [f"a=mid:{section.mid}"] if section.mid else []
    media = f"m={section.kind} 0 {section.protocol} {' '.join(section.raw_formats)}"
    return [media, "c=IN IP4 0.0.0.0", "a=inactive", *mid]


def _accepted(answer: SectionAnswer, *, choice: Choice, transport: LocalTransport) -> list[str]:
    section, choices = answer.section, (choice, *answer.also)
    formats = " ".join(str(number) for each in choices for number in _numbers(each))
    lines = [
        f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {formats}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{transport.ice_ufrag}",
        f"a=ice-pwd:{transport.ice_pwd}",
        f"a=fingerprint:sha-256 {transport.fingerprint}",
        f"a=setup:{transport.setup}",
        *([f"a=mid:{section.mid}"] if section.mid else []),
        *(f"a=extmap:{section.extensions[uri]} {uri}" for uri in answer.extensions if uri in section.extensions),
        f"a={answer.direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
    ]
    for each in choices:
        lines += _codec(each, extra_parameters=answer.extra_parameters)
    if answer.rids:
        lines += [*(f"a=rid:{rid} recv" for rid in answer.rids), f"a=simulcast:recv {';'.join(answer.rids)}"]
    return lines + _sources(answer, repair=choice.retransmission_type)


def _numbers(choice: Choice) -> list[int]:
    repair = choice.retransmission_type
    return [choice.payload_type] if repair is None else [choice.payload_type, repair]


def _codec(choice: Choice, *, extra_parameters: str) -> list[str]:
    number, repair = choice.payload_type, choice.retransmission_type
    lines = [f"a=rtpmap:{number} {choice.codec}"]
    lines += [f"a=rtcp-fb:{number} {kind}" for kind in choice.feedback]
    parameters = ";".join(part for part in (choice.parameters, extra_parameters) if part)
    if parameters:
        lines.append(f"a=fmtp:{number} {parameters}")
    if repair is not None:
        lines += [f"a=rtpmap:{repair} rtx/{choice.codec.clock_rate}", f"a=fmtp:{repair} apt={number}"]
    return lines


def _sources(answer: SectionAnswer, *, repair: int | None) -> list[str]:
    if answer.ssrc is None:
        return []
    track = f"{answer.stream} {answer.section.kind}"
    lines = [f"a=msid:{track}"]
    sources = [answer.ssrc]
    if repair is not None and answer.retransmission_ssrc is not None:
        lines.append(f"a=ssrc-group:FID {answer.ssrc} {answer.retransmission_ssrc}")
        sources.append(answer.retransmission_ssrc)
    # The media SSRC comes first: browsers take the first line for the primary stream.
    for ssrc in sources:
        lines += [f"a=ssrc:{ssrc} cname:{CNAME}", f"a=ssrc:{ssrc} msid:{track}"]
    return lines
