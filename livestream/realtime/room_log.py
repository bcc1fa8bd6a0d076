"""The order of a room's durable events in this process: no duplicates, no reordering, and the latest in memory.

The layer may lose, duplicate or reorder events. They pass in order of their sequence numbers. One that comes too early
waits until the missing ones have arrived or were read from the database.
"""

from collections import deque

KEPT = 400
NOTHING: deque[tuple[int, str]] = deque(maxlen=KEPT)
Documents = list[tuple[int | None, str]]


class RoomLog:
    """`next_seq` is the next number, or None while none is known. `kept` ends with the one before it.

    `announced` counts events without a number from the layer; their effect is in the next snapshot.
    """

    __slots__ = ("announced", "early", "kept", "next_seq")

    def __init__(self) -> None:
        self.next_seq: int | None = None
        self.kept = NOTHING
        self.early: dict[int, str] = {}
        self.announced = 0

    def start(self, after_seq: int) -> None:
        """Set the position from a snapshot, if none is known yet."""
        if self.next_seq is None:
            self.next_seq = after_seq + 1

    def admit(self, documents: Documents) -> Documents:
        """Return the documents that may pass now, in order, with those that waited for them. Documents without a
        number pass."""
        passed: Documents = []
        for seq, text in documents:
            if seq is None:
                passed.append((None, text))
                continue
            if self.next_seq is None:
                self.next_seq = seq
            if seq == self.next_seq:
                self._pass(seq, text, passed)
                while self.next_seq in self.early:
                    self._pass(self.next_seq, self.early.pop(self.next_seq), passed)
            elif seq > self.next_seq:
                self.early[seq] = text
        return passed

    def _pass(self, seq: int, text: str, passed: Documents) -> None:
        if self.kept is NOTHING:  # most groups never have an event with a number
            self.kept = deque(maxlen=KEPT)
        self.kept.append((seq, text))
        self.next_seq = seq + 1
        passed.append((seq, text))

    def gap(self, up_to: int = 0) -> tuple[int, int] | None:
        """Return the first and last missing number before the earliest early event, or else up to a number known to
        exist. None if none are missing."""
        if self.next_seq is None:
            return None
        last = min(self.early) - 1 if self.early else up_to
        return (self.next_seq, last) if self.next_seq <= last else None

    def give_up(self) -> Documents:
        """Let early events pass despite a gap. Clients notice it and request the missing ones."""
        if not self.early:
            return []
        self.next_seq = min(self.early)
        self.kept = NOTHING
        return self.admit([(seq, text) for seq, text in sorted(self.early.items())])

    def forget(self) -> None:
        """Drop events from memory after a revocation. They are read from the database again when requested."""
        self.kept = NOTHING

    def prime(self, documents: list[tuple[int, str]], head: int) -> None:
        """Put older events before the kept ones. They were read from the database up to `head`, in order and without
        gaps."""
        first = self.kept[0][0] if self.kept else self.next_seq
        if first is None:
            self.next_seq = first = head + 1
        older = [(seq, text) for seq, text in documents if seq < first]
        if older and older[-1][0] != first - 1:
            return  # would leave a gap
        self.kept = deque([*older, *self.kept][-KEPT:], maxlen=KEPT)

    def since(self, after: int) -> list[str] | None:
        """Return all events after a number, in order, or None if some are not in memory."""
        if self.next_seq is None or after >= self.next_seq:
            return None
        if after == self.next_seq - 1:
            return []
        if not self.kept or self.kept[0][0] > after + 1:
            return None
        return [text for seq, text in self.kept if seq > after]

    @property
    def last(self) -> int | None:
        """The number of the last event that passed."""
        return None if self.next_seq is None else self.next_seq - 1
