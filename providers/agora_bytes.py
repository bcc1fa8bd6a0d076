"""The encoding of Agora's tokens: little-endian integers, and strings prefixed with their 16-bit length."""

import struct
from dataclasses import dataclass


class TokenMalformed(ValueError):
    """The bytes are not a token."""


def uint16(value: int) -> bytes:
    """Encode two bytes. Raises TokenMalformed if out of range."""
    return _packed("<H", value)


def uint32(value: int) -> bytes:
    """Encode four bytes. Raises TokenMalformed if out of range."""
    return _packed("<I", value)


def _packed(form: str, value: int) -> bytes:
    try:
        return struct.pack(form, value)
    except struct.error as error:
        raise TokenMalformed(str(error)) from None


def string(value: bytes) -> bytes:
    """Encode the length and the bytes."""
    return uint16(len(value)) + value


def privilege_map(privileges: dict[int, int]) -> bytes:
    """Encode the count, then number and expiry of each privilege in ascending order."""
    pairs = b"".join(uint16(number) + uint32(expiry) for number, expiry in sorted(privileges.items()))
    return uint16(len(privileges)) + pairs


@dataclass(slots=True)
class Reader:
    """Decodes these values. Raises TokenMalformed if bytes are missing."""

    data: bytes
    position: int = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        end = self.position + size
        if end > len(self.data):
            raise TokenMalformed("it ends too early")
        taken, self.position = self.data[self.position : end], end
        return taken

    def uint16(self) -> int:
        """Return the next two bytes as an integer."""
        return int.from_bytes(self.take(2), "little")

    def uint32(self) -> int:
        """Return the next four bytes as an integer."""
        return int.from_bytes(self.take(4), "little")

    def string(self) -> bytes:
        """Return the next string."""
        return self.take(self.uint16())

    def privilege_map(self) -> dict[int, int]:
        """Return the next map of privileges."""
        return {self.uint16(): self.uint32() for _ in range(self.uint16())}

    def rest(self) -> bytes:
        """Return the remaining bytes."""
        return self.data[self.position :]
