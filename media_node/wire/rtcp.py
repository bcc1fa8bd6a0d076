"""Parsing and writing of RTCP.

RFC 3550 section 6 (SR, RR, BYE), RFC 4585 section 6 (NACK, PLI), RFC 5104 section 4.3.1 (FIR), and
draft-alvestrand-rmcat-remb-03 (REMB).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SENDER_REPORT = 200
RECEIVER_REPORT = 201
GOODBYE = 203
TRANSPORT_FEEDBACK = 205
PAYLOAD_FEEDBACK = 206

_NACK = 1
_PLI = 1
_FIR = 4
_APPLICATION = 15
_PACKET_LIMIT = 32
# Per datagram.
_NACK_LIMIT = 512


@dataclass(frozen=True, slots=True)
class SenderReport:
    """Maps RTP time to wall-clock time. `ntp` is 32.32 fixed point since 1900."""

    ssrc: int
    ntp: int
    rtp_time: int
    packets: int
    octets: int

    def shifted(self, *, ssrc: int, clock: int, time: int) -> SenderReport:
        """Return the report for a stream with another SSRC, clock and timestamp offset."""
        return SenderReport(
            ssrc=ssrc,
            ntp=(self.ntp + clock) & 0xFFFFFFFFFFFFFFFF,
            rtp_time=(self.rtp_time + time) & 0xFFFFFFFF,
            packets=self.packets,
            octets=self.octets,
        )


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """Reception of one stream. `fraction_lost` is in 1/256 of the packets of the last interval."""

    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    last_report: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Nack:
    """Packets missing at a receiver."""

    ssrc: int
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyframeRequest:
    """PLI or FIR: the receiver needs a key frame."""

    ssrc: int


@dataclass(frozen=True, slots=True)
class BitrateEstimate:
    """REMB: a receiver's bandwidth estimate in bits per second."""

    bits_per_second: int
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    """BYE: these streams have ended."""

    ssrcs: tuple[int, ...]


Item = SenderReport | ReportBlock | Nack | KeyframeRequest | BitrateEstimate | Goodbye


def rtcp_parse(data: bytes) -> list[Item]:
    """Parse a compound packet. Malformed and unknown parts are skipped and never raise, because a stream must not end
    due to an unsupported feedback extension."""
    items: list[Item] = []
    at, asked = 0, 0
    for _ in range(_PACKET_LIMIT):
        if at + 8 > len(data) or data[at] & 0xC0 != 0x80:
            break
        first, kind, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * words
        if end > len(data):
            break
        for item in _parse_one(kind=kind, count=first & 0x1F, body=data[at + 4 : end]):
            if isinstance(item, Nack):
                asked += len(item.sequences)
                if asked > _NACK_LIMIT:
                    continue
            items.append(item)
        at = end
    return items


def sender_report(report: SenderReport) -> bytes:
    """Return an SR without report blocks."""
    return struct.pack(
        "!BBHIQIII",
        0x80,
        SENDER_REPORT,
        6,
        report.ssrc,
        report.ntp,
        report.rtp_time,
        report.packets & 0xFFFFFFFF,
        report.octets & 0xFFFFFFFF,
    )


def receiver_report(*, ssrc: int, blocks: list[ReportBlock]) -> bytes:
    """Return an RR with at most 31 blocks."""
    body = b"".join(
        struct.pack(
            "!IIIIII",
            b.ssrc,
            (b.fraction_lost << 24) | (b.packets_lost & 0xFFFFFF),
            b.highest_sequence & 0xFFFFFFFF,
            b.jitter & 0xFFFFFFFF,
            b.last_report,
            b.delay,
        )
        for b in blocks[:31]
    )
    count = len(body) // 24
    return struct.pack("!BBHI", 0x80 | count, RECEIVER_REPORT, 1 + 6 * count, ssrc) + body


def bitrate_estimate(*, ssrc: int, bits_per_second: int, ssrcs: list[int]) -> bytes:
    """Return a REMB. The rate is rounded down to a mantissa of 18 bits."""
    exponent = max(0, bits_per_second.bit_length() - 18)
    mantissa = bits_per_second >> exponent
    head = struct.pack(
        "!BBHII4sI",
        0x80 | _APPLICATION,
        PAYLOAD_FEEDBACK,
        4 + len(ssrcs),
        ssrc,
        0,
        b"REMB",
        (len(ssrcs) << 24) | (exponent << 18) | mantissa,
    )
    return head + b"".join(struct.pack("!I", value) for value in ssrcs)


def picture_loss(*, ssrc: int, media_ssrc: int) -> bytes:
    """Return a PLI."""
    return struct.pack("!BBHII", 0x80 | _PLI, PAYLOAD_FEEDBACK, 2, ssrc, media_ssrc)


def nack(*, ssrc: int, media_ssrc: int, sequences: list[int]) -> bytes:
    """Return a generic NACK. `sequences` are in stream order, so that a run across the wrap is packed well."""
    fields = b""
    index = 0
    while index < len(sequences):
        first, mask = sequences[index], 0
        index += 1
        while index < len(sequences) and 0 < (distance := (sequences[index] - first) & 0xFFFF) <= 16:
            mask |= 1 << (distance - 1)
            index += 1
        fields += struct.pack("!HH", first, mask)
    head = struct.pack("!BBHII", 0x80 | _NACK, TRANSPORT_FEEDBACK, 2 + len(fields) // 4, ssrc, media_ssrc)
    return head + fields


def goodbye(*, ssrcs: list[int]) -> bytes:
    """Return a BYE for at most 31 SSRCs."""
    ssrcs = ssrcs[:31]
    return struct.pack("!BBH", 0x80 | len(ssrcs), GOODBYE, len(ssrcs)) + b"".join(
        struct.pack("!I", value) for value in ssrcs
    )


def _parse_one(*, kind: int, count: int, body: bytes) -> list[Item]:
    if kind == SENDER_REPORT and len(body) >= 24:
        report = SenderReport(*struct.unpack_from("!IQIII", body))
        return [report, *_blocks(body, at=24, count=count)]
    if kind == RECEIVER_REPORT:
        return list(_blocks(body, at=4, count=count))
    if kind == GOODBYE and len(body) >= 4 * count > 0:
        return [Goodbye(struct.unpack_from(f"!{count}I", body))]
    if kind == TRANSPORT_FEEDBACK and count == _NACK and len(body) >= 12:
        return [_nack(body)]
    if kind == PAYLOAD_FEEDBACK:
        return _payload_feedback(form=count, body=body)
    return []


def _blocks(body: bytes, *, at: int, count: int) -> list[ReportBlock]:
    blocks = []
    for start in range(at, min(at + 24 * count, len(body) - 23), 24):
        ssrc, loss, highest, jitter, last, delay = struct.unpack_from("!IIIIII", body, start)
        lost = loss & 0xFFFFFF
        lost -= (lost & 0x800000) << 1
        blocks.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last, delay))
    return blocks


def _nack(body: bytes) -> Nack:
    sequences: list[int] = []
    for start in range(8, len(body) - 3, 4):
        first, mask = struct.unpack_from("!HH", body, start)
        sequences.append(first)
        sequences += [(first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1]
        if len(sequences) >= _NACK_LIMIT:
            break
    return Nack(int.from_bytes(body[4:8], "big"), tuple(sequences[:_NACK_LIMIT]))


def _payload_feedback(*, form: int, body: bytes) -> list[Item]:
    if form == _PLI and len(body) >= 8:
        return [KeyframeRequest(int.from_bytes(body[4:8], "big"))]
    if form == _FIR:
        return [
            KeyframeRequest(int.from_bytes(body[at : at + 4], "big"))
            for at in range(8, min(len(body) - 7, 8 + 8 * 31), 8)
        ]
    if form == _APPLICATION and len(body) >= 16 and body[8:12] == b"REMB":
        rate = int.from_bytes(body[13:16], "big")
        count = min(body[12], (len(body) - 16) // 4)
        return [BitrateEstimate((rate & 0x3FFFF) << (rate >> 18), struct.unpack_from(f"!{count}I", body, 16))]
    return []
