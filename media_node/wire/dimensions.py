"""Video dimensions, read from key frames without decoding.

VP8: the frame header (RFC 6386 section 9.1) after the payload descriptor (RFC 7741). H.264: the sequence parameter set
(ITU-T H.264 section 7.3.2.1.1), in its own packet or in an aggregate (RFC 6184).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from media_node.wire.keyframes import h264_units, vp8_frame_at

_SPS, _AGGREGATE = 7, 24
# Profiles whose parameter set includes chroma formats, which conferencing encoders do not use.
_CHROMA_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_SIDE_LIMIT = 16384


@dataclass(frozen=True, slots=True)
class Dimensions:
    """Width and height in pixels."""

    width: int
    height: int


def dimensions_reader(codec: str) -> Callable[[bytes], Dimensions | None]:
    """Return the reader for an upper-case codec name. It returns None for packets without dimensions."""
    return {"VP8": vp8_dimensions, "H264": h264_dimensions}.get(codec, _unknown)


def vp8_dimensions(payload: bytes) -> Dimensions | None:
    """Read the dimensions from the first packet of a VP8 key frame."""
    if not payload or payload[0] & 0x1F != 0x10:
        return None
    at = vp8_frame_at(payload)
    if at == 0 or len(payload) < at + 10 or payload[at] & 0x01 or payload[at + 3 : at + 6] != b"\x9d\x01\x2a":
        return None
    width = int.from_bytes(payload[at + 6 : at + 8], "little") & 0x3FFF
    height = int.from_bytes(payload[at + 8 : at + 10], "little") & 0x3FFF
    return _dimensions(width, height)


def h264_dimensions(payload: bytes) -> Dimensions | None:
    """Read the dimensions from a packet with a sequence parameter set."""
    # Called for each packet; most are fragments.
    if payload and payload[0] & 0x1F in (_SPS, _AGGREGATE):
        for unit in h264_units(payload):
            if unit[0] & 0x1F == _SPS:
                return _sps_dimensions(unit[1:])
    return None


def _unknown(payload: bytes) -> Dimensions | None:
    return None


def _dimensions(width: int, height: int) -> Dimensions | None:
    if not (0 < width <= _SIDE_LIMIT and 0 < height <= _SIDE_LIMIT):
        return None
    return Dimensions(width, height)


class _Bits:
    """A bit reader for exponential-Golomb numbers. Raises IndexError past the end."""

    def __init__(self, data: bytes) -> None:
        # Remove emulation prevention bytes (section 7.4.1).
        self._data = data.replace(b"\x00\x00\x03", b"\x00\x00")
        self._at = 0

    def bit(self) -> int:
        byte, shift = self._data[self._at >> 3], 7 - (self._at & 7)
        self._at += 1
        return (byte >> shift) & 1

    def skip(self, count: int) -> None:
        self._at += count

    def unsigned(self) -> int:
        zeros = 0
        while not self.bit():
            zeros += 1
            if zeros > 31:
                raise IndexError
        value = 1
        for _ in range(zeros):
            value = (value << 1) | self.bit()
        return value - 1


def _sps_dimensions(data: bytes) -> Dimensions | None:
    if len(data) < 4:
        return None
    profile, bits = data[0], _Bits(data[3:64])
    try:
        bits.unsigned()  # seq_parameter_set_id
        chroma = _skip_chroma(bits) if profile in _CHROMA_PROFILES else 1
        if chroma is None:
            return None
        bits.unsigned()  # log2_max_frame_num
        _skip_order(bits)
        bits.unsigned()  # max_num_ref_frames
        bits.skip(1)
        columns, rows = bits.unsigned() + 1, bits.unsigned() + 1
        fields = 2 - bits.bit()
        if fields == 2:
            bits.skip(1)
        bits.skip(1)
        left, right, top, bottom = (bits.unsigned() for _ in range(4)) if bits.bit() else (0, 0, 0, 0)
    except IndexError:
        return None
    across, down = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1) * fields
    return _dimensions(columns * 16 - across * (left + right), rows * 16 * fields - down * (top + bottom))


def _skip_chroma(bits: _Bits) -> int | None:
    """Return the chroma format, or None if scaling lists follow, which no known sender uses."""
    chroma = bits.unsigned()
    if chroma == 3:
        bits.skip(1)
    bits.unsigned()  # bit depths
    bits.unsigned()
    bits.skip(1)
    return None if bits.bit() else chroma


def _skip_order(bits: _Bits) -> None:
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.skip(1)
        bits.unsigned()
        bits.unsigned()
        for _ in range(min(255, bits.unsigned())):
            bits.unsigned()
