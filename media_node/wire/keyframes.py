"""Key frame detection from the first payload bytes, without decoding.

VP8: RFC 7741 sections 4.2 and 4.3. H.264: RFC 6184 section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_NAL_IDR = 5
_NAL_SEQUENCE = 7
_NAL_AGGREGATE = 24
_NAL_FRAGMENT = 28
# Half of this is an access unit delimiter, parameter sets, some supplemental information and the frame.
_UNITS_LIMIT = 16


def h264_units(payload: bytes) -> Iterator[bytes]:
    """Iterate over the complete NAL units of a packet: a single one, or the first sixteen of an aggregate (STAP-A). A
    fragment has none."""
    kind = payload[0] & 0x1F if payload else 0
    if kind != _NAL_AGGREGATE:
        if 0 < kind < _NAL_AGGREGATE:
            yield payload
        return
    at = 1
    for _ in range(_UNITS_LIMIT):
        size = int.from_bytes(payload[at : at + 2], "big")
        unit = payload[at + 2 : at + 2 + size]
        if size == 0 or len(unit) < size:
            return
        yield unit
        at += 2 + size


def vp8_frame_at(payload: bytes) -> int:
    """Return the offset of the VP8 frame after its payload descriptor, or 0 if the packet is truncated."""
    if not payload:
        return 0
    if not payload[0] & 0x80:
        return 1
    if len(payload) < 2:
        return 0
    flags, at = payload[1], 2
    if flags & 0x80:
        if len(payload) <= at:
            return 0
        at += 2 if payload[at] & 0x80 else 1
    if flags & 0x40:
        at += 1
    if flags & 0x30:
        at += 1
    return at


def vp8_keyframe_start(payload: bytes) -> bool:
    """Return whether this is the first packet of a VP8 key frame."""
    if not payload or payload[0] & 0x1F != 0x10:
        return False
    at = vp8_frame_at(payload)
    return 0 < at < len(payload) and not payload[at] & 0x01


def h264_keyframe_start(payload: bytes) -> bool:
    """Return whether this packet starts an independently decodable frame: parameter sets, or an IDR."""
    if len(payload) > 1 and payload[0] & 0x1F == _NAL_FRAGMENT:
        return payload[1] & 0x9F == 0x80 | _NAL_IDR
    return any(unit[0] & 0x1F in (_NAL_IDR, _NAL_SEQUENCE) for unit in h264_units(payload))


def any_packet(payload: bytes) -> bool:
    """Accept any packet with content, for codecs without key frames."""
    return bool(payload)


def keyframe_detector(codec: str) -> Callable[[bytes], bool]:
    """Return the detector for an upper-case codec name."""
    return {"VP8": vp8_keyframe_start, "H264": h264_keyframe_start}.get(codec, any_packet)
