"""The number of a property's examples that reach the intended states."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

ENOUGH_EXAMPLES = 50


class Reach:
    """Counts examples by reached states. `require` fails when the generators miss the intended ones."""

    def __init__(self) -> None:
        self.examples = 0
        self.counts: Counter[str] = Counter()
        self._reached: set[str] = set()

    @contextmanager
    def example(self) -> Iterator[None]:
        """Run one example; only a passing one is counted."""
        self.begin()
        yield
        self.finish()

    def begin(self) -> None:
        """Begin an example of a state machine, which has no block around it."""
        self._reached = set()

    def finish(self) -> None:
        self.examples += 1
        self.counts.update(self._reached)

    def note(self, *names: str) -> None:
        """Record that the example has reached these."""
        self._reached.update(names)

    def require(self, **percentages: int) -> None:
        """Require that at least this many of 100 examples reached each of these. A short run is no sample and is not
        judged."""
        if self.examples < ENOUGH_EXAMPLES:
            return
        found = {name: round(100 * self.counts[name] / self.examples) for name in percentages}
        missed = {name: found[name] for name, least in percentages.items() if found[name] < least}
        assert not missed, f"of 100 examples only {missed} reached this, not {percentages}; all: {dict(self.counts)}"
