"""STUN messages as used by ICE (RFC 8489; RFC 8445 section 7.3 for the responding side)."""

from __future__ import annotations

import hashlib
import hmac
import socket
import struct
import zlib
from dataclasses import dataclass

MAGIC_COOKIE = 0x2112A442
BINDING_REQUEST = 0x0001
BINDING_INDICATION = 0x0011
BINDING_SUCCESS = 0x0101
BINDING_ERROR = 0x0111

USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
UNKNOWN_ATTRIBUTES = 0x000A
XOR_MAPPED_ADDRESS = 0x0020
PRIORITY = 0x0024
USE_CANDIDATE = 0x0025
SOFTWARE = 0x8022
FINGERPRINT = 0x8028
ICE_CONTROLLED = 0x8029
ICE_CONTROLLING = 0x802A

_COOKIE_BYTES = struct.pack("!I", MAGIC_COOKIE)
_FINGERPRINT_XOR = 0x5354554E
# Attributes below 0x8000 are comprehension-required (RFC 8489 section 14).
_UNDERSTOOD = frozenset({USERNAME, MESSAGE_INTEGRITY, PRIORITY, USE_CANDIDATE})
_ATTRIBUTE_LIMIT = 32

Address = tuple[str, int] | tuple[str, int, int, int]


class StunInvalid(ValueError):
    """Not a well-formed STUN message."""


@dataclass(frozen=True, slots=True)
class StunMessage:
    """A parsed message. Attributes after MESSAGE-INTEGRITY are dropped, because they are not protected (RFC 8489
    section 14.5)."""

    type: int
    transaction: bytes
    attributes: dict[int, bytes]
    raw: bytes
    integrity_at: int | None

    def unknown_attributes(self) -> list[int]:
        """Return the unsupported comprehension-required attributes."""
        return [kind for kind in self.attributes if kind < 0x8000 and kind not in _UNDERSTOOD]

    def proves(self, key: bytes) -> bool:
        """Return whether MESSAGE-INTEGRITY is present and valid for this key (RFC 8489 section 14.5)."""
        at = self.integrity_at
        if at is None:
            return False
        head = self.raw[:2] + struct.pack("!H", at + 24 - 20) + self.raw[4:at]
        expected = hmac.new(key, head, hashlib.sha1).digest()
        return hmac.compare_digest(expected, self.raw[at + 4 : at + 24])


def stun_parse(data: bytes) -> StunMessage:
    """Parse a datagram. Raises StunInvalid, also for a wrong FINGERPRINT."""
    if len(data) < 20 or data[0] > 3 or data[4:8] != _COOKIE_BYTES:
        raise StunInvalid("header")
    kind, length = struct.unpack_from("!HH", data)
    if length % 4 or length + 20 != len(data):
        raise StunInvalid("length")
    attributes: dict[int, bytes] = {}
    integrity_at: int | None = None
    at = 20
    for _ in range(_ATTRIBUTE_LIMIT):
        if at == len(data):
            break
        attribute, size = struct.unpack_from("!HH", data, at)
        end = at + 4 + size
        if end > len(data):
            raise StunInvalid("attribute")
        if attribute == FINGERPRINT:
            _check_fingerprint(data, at=at, size=size)
        elif attribute == MESSAGE_INTEGRITY and integrity_at is None:
            if size != 20:
                raise StunInvalid("integrity")
            integrity_at = at
        elif integrity_at is None:
            attributes.setdefault(attribute, data[at + 4 : end])
        at = end + (-size % 4)
    if at != len(data):
        raise StunInvalid("attributes")
    return StunMessage(kind, data[8:20], attributes, data, integrity_at)


def stun_build(
    *, type: int, transaction: bytes, attributes: list[tuple[int, bytes]], key: bytes | None = None
) -> bytes:
    """Return a message with FINGERPRINT and, if there is a key, MESSAGE-INTEGRITY."""
    body = b"".join(
        struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4) for kind, value in attributes
    )
    if key is not None:
        head = struct.pack("!HH", type, len(body) + 24) + _COOKIE_BYTES + transaction
        mac = hmac.new(key, head + body, hashlib.sha1).digest()
        body += struct.pack("!HH", MESSAGE_INTEGRITY, 20) + mac
    head = struct.pack("!HH", type, len(body) + 8) + _COOKIE_BYTES + transaction
    crc = zlib.crc32(head + body) ^ _FINGERPRINT_XOR
    return head + body + struct.pack("!HHI", FINGERPRINT, 4, crc)


def binding_success(*, request: StunMessage, address: Address, key: bytes) -> bytes:
    """Return the success response to a check, with the address it came from."""
    mapped = xor_address(address=address, transaction=request.transaction)
    return stun_build(
        type=BINDING_SUCCESS,
        transaction=request.transaction,
        attributes=[(XOR_MAPPED_ADDRESS, mapped)],
        key=key,
    )


def binding_error(
    *, request: StunMessage, code: int, reason: str, key: bytes, unknown: list[int] | None = None
) -> bytes:
    """Return an error response (RFC 8489 section 14.8)."""
    attributes = [(ERROR_CODE, struct.pack("!HBB", 0, code // 100, code % 100) + reason.encode())]
    if unknown:
        attributes.append((UNKNOWN_ATTRIBUTES, b"".join(struct.pack("!H", kind) for kind in unknown)))
    return stun_build(type=BINDING_ERROR, transaction=request.transaction, attributes=attributes, key=key)


def xor_address(*, address: Address, transaction: bytes) -> bytes:
    """Return the value of XOR-MAPPED-ADDRESS (RFC 8489 section 14.2)."""
    host, port = address[0].partition("%")[0], address[1]
    is_six = ":" in host
    packed = socket.inet_pton(socket.AF_INET6 if is_six else socket.AF_INET, host)
    mask = _COOKIE_BYTES + transaction
    masked = bytes(a ^ b for a, b in zip(packed, mask, strict=False))
    return struct.pack("!BBH", 0, 2 if is_six else 1, port ^ (MAGIC_COOKIE >> 16)) + masked


def _check_fingerprint(data: bytes, *, at: int, size: int) -> None:
    if size != 4 or at + 8 != len(data):
        raise StunInvalid("fingerprint")
    if zlib.crc32(data[:at]) ^ _FINGERPRINT_XOR != struct.unpack_from("!I", data, at + 4)[0]:
        raise StunInvalid("fingerprint")
