"""RTP headers (RFC 3550 section 5.1) and retransmission payloads (RFC 4588)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("!BBHII")
HEADER_BYTES = 12

header_pack = _HEADER.pack


class RtpInvalid(ValueError):
    """Not an RTP packet."""


@dataclass(slots=True)
class RtpPacket:
    """The fields of a packet that forwarding needs.

    `payload` has no padding, header extension or CSRC list, and is empty for a packet with padding only. `extension` is
    the whole extension block (RFC 8285), or empty.
    """

    marker: int
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    extension: bytes = b""


def rtp_parse(data: bytes) -> RtpPacket:
    """Parse a decrypted packet. `marker` is 0 or 128, the bit at its position. Raises RtpInvalid."""
    size = len(data)
    if size < HEADER_BYTES:
        raise RtpInvalid("short")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first & 0xC0 != 0x80:
        raise RtpInvalid("version")
    at = HEADER_BYTES + 4 * (first & 0x0F)
    extension = b""
    if first & 0x10:
        if at + 4 > size:
            raise RtpInvalid("extension")
        start = at
        at += 4 + 4 * ((data[at + 2] << 8) | data[at + 3])
        extension = data[start:at]
    end = size
    if first & 0x20:
        padding = data[-1]
        if padding == 0:
            raise RtpInvalid("padding")
        end -= padding
    if at > end:
        raise RtpInvalid("length")
    return RtpPacket(second & 0x80, second & 0x7F, sequence, timestamp, ssrc, data[at:end], extension)


def rtp_ssrc(data: bytes) -> int:
    """Return the SSRC of an RTP header, readable before decryption. The datagram must have at least 12 bytes."""
    return int.from_bytes(data[8:12], "big")


def rtp_build(*, marker: int, payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes) -> bytes:
    """Return a packet with the plain 12-byte header."""
    return _HEADER.pack(0x80, marker | payload_type, sequence, timestamp, ssrc) + payload


def rtx_unwrap(packet: RtpPacket, *, payload_type: int, ssrc: int) -> RtpPacket | None:
    """Return the original packet of a retransmission (RFC 4588 section 4), or None for a padding probe."""
    if len(packet.payload) < 2:
        return None
    original = (packet.payload[0] << 8) | packet.payload[1]
    return RtpPacket(packet.marker, payload_type, original, packet.timestamp, ssrc, packet.payload[2:])


def rtx_payload(*, sequence: int, payload: bytes) -> bytes:
    """Return the RTX payload for packet `sequence`."""
    return sequence.to_bytes(2, "big") + payload
