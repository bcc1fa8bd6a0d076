"""Picture ids in VP8 packets (RFC 7741 section 4.2), which must go on when a viewer is given another stream."""

from __future__ import annotations

from typing import NamedTuple


class PictureIds(NamedTuple):
    """Where the ids of a packet are and what they say; `base` is TL0PICIDX, -1 where there is none."""

    at: int
    is_long: bool
    picture: int
    base: int


PICTURE_MASK = 0x7FFF


def picture_ids(payload: bytes) -> PictureIds | None:
    """The ids of a VP8 packet; None when it has none or is cut short."""
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
    """The packet with both ids moved on; they wrap at their own width."""
    picture = ids.picture + picture_shift
    shifted = (0x8000 | (picture & 0x7FFF)).to_bytes(2, "big") if ids.is_long else bytes((picture & 0x7F,))
    end = ids.at + len(shifted)
    if ids.base >= 0:
        shifted += bytes(((ids.base + base_shift) & 0xFF,))
        end += 1
    return payload[: ids.at] + shifted + payload[end:]
