"""The order of a room's durable events in this process: none twice, none before its turn, the last ones at hand.

The layer may lose, double or disorder what it carries. Events are let through by their sequence number; one that comes
too early waits until what is missing has come, or was read from the database.
"""

from collections import deque

KEPT = 400
NOTHING: deque[tuple[int, str]] = deque(maxlen=KEPT)
Documents = list[tuple[int | None, str]]


class RoomLog:
    """`next_seq` is the number that is due, None while none is known. `kept` ends with the one before it.

    `announced` counts the events without a number that the layer brought: what they told is in the next snapshot.
    """

    __slots__ = ("announced", "early", "kept", "next_seq")

    def __init__(self) -> None:
        self.next_seq: int | None = None
        self.kept = NOTHING
        self.early: dict[int, str] = {}
        self.announced = 0

    def start(self, after_seq: int) -> None:
        """A snapshot says where the room is; only news for a log that knows nothing yet."""
        if self.next_seq is None:
            self.next_seq = after_seq + 1

    def admit(self, documents: Documents) -> Documents:
        """Those whose turn it is, in order, with those that waited for them; documents without a number pass."""
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
        if self.kept is NOTHING:  # most groups never hold an event with a number
            self.kept = deque(maxlen=KEPT)
        self.kept.append((seq, text))
        self.next_seq = seq + 1
        passed.append((seq, text))

    def gap(self, up_to: int = 0) -> tuple[int, int] | None:
        """The first and last number that is missing before the earliest early one, or else up to a number that is known
        to exist; None when nothing is."""
        if self.next_seq is None:
            return None
        last = min(self.early) - 1 if self.early else up_to
        return (self.next_seq, last) if self.next_seq <= last else None

    def give_up(self) -> Documents:
        """Let the early ones pass although something is missing; their readers will notice and ask."""
        if not self.early:
            return []
        self.next_seq = min(self.early)
        self.kept = NOTHING
        return self.admit([(seq, text) for seq, text in sorted(self.early.items())])

    def forget(self) -> None:
        """What was told is not true any more: the past is read from the database again when somebody asks."""
        self.kept = NOTHING

    def prime(self, documents: list[tuple[int, str]], head: int) -> None:
        """Older events, read from the database up to `head` in order and without holes, put before what is kept."""
        first = self.kept[0][0] if self.kept else self.next_seq
        if first is None:
            self.next_seq = first = head + 1
        older = [(seq, text) for seq, text in documents if seq < first]
        if older and older[-1][0] != first - 1:
            return  # would leave a hole
        self.kept = deque([*older, *self.kept][-KEPT:], maxlen=KEPT)

    def since(self, after: int) -> list[str] | None:
        """All events after a number, in order; None when some of them are not at hand."""
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
