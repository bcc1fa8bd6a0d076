"""RTP header extensions (RFC 8285): the supported ones, and their parsing and writing.

From publishers: mid (RFC 9143) and rid (RFC 8852) identify streams that the offer did not announce, the audio level
(RFC 6464) identifies speakers. To viewers: abs-send-time, from which Chromium estimates its bandwidth. No others are
forwarded.
"""

from __future__ import annotations

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"

FROM_PUBLISHERS = {"audio": (MID, AUDIO_LEVEL), "video": (MID, RID, REPAIRED_RID)}
_ONE_BYTE = 0xBEDE
_TWO_BYTES = 0x1000
# Padding bytes count, too. Browsers send six elements.
_ELEMENTS_LIMIT = 64


def extension_values(block: bytes) -> dict[int, bytes]:
    """Return the elements of a header extension by their ID. `block` starts with profile and length. Parsing stops at
    malformed data."""
    values: dict[int, bytes] = {}
    if len(block) < 4:
        return values
    profile = (block[0] << 8) | block[1]
    is_short = profile == _ONE_BYTE
    if not is_short and profile & 0xFFF0 != _TWO_BYTES:
        return values
    at, end = 4, len(block)
    for _ in range(_ELEMENTS_LIMIT):
        if at >= end:
            break
        if block[at] == 0:
            at += 1
            continue
        if is_short:
            number, size = block[at] >> 4, (block[at] & 0x0F) + 1
            if number == 15:
                break
            at += 1
        else:
            if at + 1 >= end:
                break
            number, size = block[at], block[at + 1]
            at += 2
        if at + size > end:
            break
        values[number] = block[at : at + size]
        at += size
    return values


def send_time_head(number: int) -> bytes:
    """Return a header extension with only abs-send-time, up to the time itself. `number` is 1 to 14."""
    return bytes((0xBE, 0xDE, 0, 1, (number << 4) | 2))


def send_time(now: float) -> bytes:
    """Encode seconds as 6.18 fixed point."""
    return (int(now * (1 << 18)) & 0xFFFFFF).to_bytes(3, "big")
