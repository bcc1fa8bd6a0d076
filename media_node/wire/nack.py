"""Repair of packet loss: retransmission requests to the publisher and a cache for viewers' requests (RFC 4585, RFC
4588)."""

from __future__ import annotations

from media_node.wire.sequence import SequenceTracker

RETRY_SECONDS = 0.06
TRIES_LIMIT = 5
# Wider gaps are an outage, which a key frame repairs faster than hundreds of old packets.
GAP_LIMIT = 200
CACHE_PACKETS = 1024
_BATCH_LIMIT = 64

CachedPacket = tuple[int, int, int, bytes]


class PacketCache:
    """The last 1024 packets sent, by sequence number: (sequence, marker, timestamp, payload)."""

    __slots__ = ("_ring",)

    def __init__(self) -> None:
        self._ring: list[CachedPacket | None] = [None] * CACHE_PACKETS

    def put(self, packet: CachedPacket) -> None:
        """Store a packet in place of the one 1024 before it."""
        self._ring[packet[0] % CACHE_PACKETS] = packet

    def get(self, sequence: int) -> CachedPacket | None:
        """Return the packet with this sequence number if it is still cached."""
        packet = self._ring[sequence % CACHE_PACKETS]
        return packet if packet is not None and packet[0] == sequence else None

    def clear(self) -> None:
        """Remove all packets."""
        self._ring = [None] * CACHE_PACKETS


def due_sequences(tracker: SequenceTracker, *, now: float) -> list[int]:
    """Return the 16-bit sequence numbers to request now, oldest first, at most 64.

    Returned numbers count as requested. A number is due again after 60 ms, five times in total.
    """
    missing = tracker.missing
    if len(missing) > GAP_LIMIT:
        return []
    due: list[int] = []
    for number, gap in missing.items():
        if gap.tries < TRIES_LIMIT and gap.due_at <= now:
            gap.tries += 1
            gap.due_at = now + RETRY_SECONDS
            due.append(number & 0xFFFF)
            if len(due) == _BATCH_LIMIT:
                break
    return due
