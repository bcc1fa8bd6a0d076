"""VP8 picture IDs (RFC 7741 section 4.2), which must stay continuous when a viewer is switched to another stream."""

from __future__ import annotations

from typing import NamedTuple


class PictureIds(NamedTuple):
    """Position and values of a packet's picture IDs. `base` is TL0PICIDX, or -1 if absent."""

    at: int
    is_long: bool
    picture: int
    base: int


PICTURE_MASK = 0x7FFF


def picture_ids(payload: bytes) -> PictureIds | None:
    """Return the IDs of a VP8 packet, or None if it has none or is truncated."""
    if len(payload) < 4 or not payload[0] & 0x80:
        return None
    flags = payload[1]
    if not flags & 0x80:
        return None
    first = payload[2]
    is_long = first >= 0x80
    picture = (first & 0x7F) << 8 | payload[3] if is_long else first
    index_at = 4 if is_long else 3
    if not flags & 0x40:
        return PictureIds(2, is_long, picture, -1)
    if len(payload) <= index_at:
        return None
    return PictureIds(2, is_long, picture, payload[index_at])


def with_shifted_ids(payload: bytes, ids: PictureIds, *, picture_shift: int, base_shift: int) -> bytes:
    """Return the packet with both IDs shifted. They wrap at their own width."""
    picture = ids.picture + picture_shift
    shifted = (0x8000 | (picture & 0x7FFF)).to_bytes(2, "big") if ids.is_long else bytes((picture & 0x7F,))
    end = ids.at + len(shifted)
    if ids.base >= 0:
        shifted += bytes(((ids.base + base_shift) & 0xFF,))
        end += 1
    return payload[: ids.at] + shifted + payload[end:]
