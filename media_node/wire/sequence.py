"""Extended sequence numbers and tracking of missing packets (RFC 3550 appendix A.1)."""

from __future__ import annotations

from dataclasses import dataclass

# A jump forward by more than this, or back past the window or the first packet, is accepted only if the next packet
# continues it: one stray packet must not move the stream.
JUMP_LIMIT = 3000
WINDOW = 1024


@dataclass(slots=True)
class Gap:
    """A missing packet: the number of requests so far and the time of the next."""

    tries: int
    due_at: float


class SequenceTracker:
    """Maps packets to extended sequence numbers and rejects duplicates."""

    __slots__ = ("_restart_at", "base", "generation", "highest", "missing", "received")

    def __init__(self) -> None:
        self.highest: int | None = None
        self.base = 0
        self.received = 0
        self.generation = 0
        self.missing: dict[int, Gap] = {}
        self._restart_at: int | None = None

    def place(self, *, sequence: int, now: float) -> int | None:
        """Return the extended number of a new packet.

        Return None for a duplicate, a packet far too old, or the first packet of a possible restart. A restart
        increments `generation` and restarts the numbers.
        """
        highest = self.highest
        if highest is None:
            return self._start(sequence)
        forward = (sequence - highest) & 0xFFFF
        if forward == 0:
            return None
        if forward < JUMP_LIMIT:
            self._advance(highest=highest, to=highest + forward, now=now)
            self.received += 1
            return highest + forward
        number = highest + forward - 0x10000
        if number >= max(self.base, highest - WINDOW):
            return self._fill(number)
        if sequence == self._restart_at:
            self.generation += 1
            return self._start(sequence)
        self._restart_at = (sequence + 1) & 0xFFFF
        return None

    @property
    def expected(self) -> int:
        """The number of packets sent, derived from the sequence numbers."""
        return 0 if self.highest is None else self.highest - self.base + 1

    def _start(self, sequence: int) -> int:
        self.highest = self.base = sequence
        self.received = 1
        self.missing.clear()
        self._restart_at = None
        return sequence

    def _advance(self, *, highest: int, to: int, now: float) -> None:
        self.highest = to
        missing = self.missing
        for number in range(max(highest + 1, to - WINDOW), to):
            missing[number] = Gap(0, now)
        # Insertion order is numeric order, so the first key shows whether any number has left the window.
        if missing and next(iter(missing)) < to - WINDOW:
            for number in [n for n in missing if n < to - WINDOW]:
                del missing[number]

    def _fill(self, number: int) -> int | None:
        if self.missing.pop(number, None) is None:
            return None
        self.received += 1
        return number
