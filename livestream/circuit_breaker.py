"""A circuit breaker: who does not answer is left alone for a while, instead of making everybody wait.

Closed: calls pass. After so many failures in a row it opens: calls fail at once. After a while it is half open: one
call tries, and decides. Each process has its own; what becomes of them is told to listeners and to the metrics.
"""

import logging
import threading
import time
from collections.abc import Callable
from enum import StrEnum

from django.dispatch import Signal

from livestream.metrics import PROVIDER_CIRCUIT
from livestream.retry_policy import TABLE

FAILURES: int = TABLE["provider_calls"]["circuit_failures"]
OPEN_SECONDS: float = TABLE["provider_calls"]["circuit_open_seconds"]

logger = logging.getLogger(__name__)


class CircuitState(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


LEVELS = {CircuitState.CLOSED: 0, CircuitState.HALF_OPEN: 1, CircuitState.OPEN: 2}
# A breaker changed its state. Arguments: circuit, reason.
circuit_changed = Signal()
_circuits: dict[str, "Circuit"] = {}
_making = threading.Lock()


class CircuitOpen(Exception):
    """Not tried. `retry_after` in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("the circuit is open")
        self.retry_after = retry_after


class Circuit:
    """The breaker in front of one service. Safe in threads."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.state = CircuitState.CLOSED
        self.failures = 0
        self._clock = clock
        self._opened_at = 0.0
        self._trying_since: float | None = None
        self._lock = threading.Lock()
        PROVIDER_CIRCUIT.labels(name).set(0)

    def enter(self) -> None:
        """Ask to make a call; the caller must report the outcome. Raises CircuitOpen."""
        with self._lock:
            if self.state == CircuitState.CLOSED:
                return
            now = self._clock()
            left = self._opened_at + OPEN_SECONDS - now
            # A try that nobody finished, because its thread died, does not block for good.
            trying = self._trying_since is not None and now - self._trying_since < OPEN_SECONDS
            if left > 0 or trying:
                raise CircuitOpen(max(1.0, left))
            self._trying_since = now
            changed = self._to(CircuitState.HALF_OPEN)
        self._tell(changed, "trying again")

    def succeeded(self) -> None:
        """The service answered, be it with a refusal."""
        with self._lock:
            self.failures = 0
            self._trying_since = None
            changed = self._to(CircuitState.CLOSED)
        self._tell(changed, "answers")

    def failed(self, reason: str) -> None:
        """It did not."""
        with self._lock:
            self.failures += 1
            changed = False
            if self.state == CircuitState.HALF_OPEN or self.failures >= FAILURES:
                self._opened_at = self._clock()
                self._trying_since = None
                changed = self._to(CircuitState.OPEN)
        self._tell(changed, reason)

    def _to(self, state: CircuitState) -> bool:
        changed = self.state != state
        self.state = state
        PROVIDER_CIRCUIT.labels(self.name).set(LEVELS[state])
        return changed

    def _tell(self, changed: bool, reason: str) -> None:
        if not changed:
            return
        logger.warning("circuit name=%s state=%s failures=%s reason=%s", self.name, self.state, self.failures, reason)
        circuit_changed.send(sender=Circuit, circuit=self, reason=reason)


def circuit_named(name: str) -> Circuit:
    """This process's breaker in front of a service."""
    with _making:
        if name not in _circuits:
            _circuits[name] = Circuit(name)
        return _circuits[name]
