"""A circuit breaker: a service that does not respond is not called for a while, so that callers need not wait for it.

Closed: calls pass. After a number of consecutive failures it opens: calls fail at once. After a while it is half open:
one trial call decides. Each process has its own breakers. State changes go to listeners and to the metrics.
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
    """The state of a breaker."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


LEVELS = {CircuitState.CLOSED: 0, CircuitState.HALF_OPEN: 1, CircuitState.OPEN: 2}
# Sent after a breaker changed its state. Arguments: circuit, reason.
circuit_changed = Signal()
_circuits: dict[str, "Circuit"] = {}
_making = threading.Lock()


class CircuitOpen(Exception):
    """The call was not attempted. `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("the circuit is open")
        self.retry_after = retry_after


class Circuit:
    """The breaker in front of one service. Thread-safe."""

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
        """Request permission for a call. The caller must report the outcome. Raises CircuitOpen."""
        with self._lock:
            if self.state == CircuitState.CLOSED:
                return
            now = self._clock()
            left = self._opened_at + OPEN_SECONDS - now
            # A trial that never finished, because its thread died, must not block forever.
            trying = self._trying_since is not None and now - self._trying_since < OPEN_SECONDS
            if left > 0 or trying:
                raise CircuitOpen(max(1.0, left))
            self._trying_since = now
            changed = self._to(CircuitState.HALF_OPEN)
        self._notify(changed, "trying again")

    def succeeded(self) -> None:
        """Note a response of the service, including a refusal."""
        with self._lock:
            self.failures = 0
            self._trying_since = None
            changed = self._to(CircuitState.CLOSED)
        self._notify(changed, "answers")

    def failed(self, reason: str) -> None:
        """Note a call without a response."""
        with self._lock:
            self.failures += 1
            changed = False
            if self.state == CircuitState.HALF_OPEN or self.failures >= FAILURES:
                self._opened_at = self._clock()
                self._trying_since = None
                changed = self._to(CircuitState.OPEN)
        self._notify(changed, reason)

    def _to(self, state: CircuitState) -> bool:
        changed = self.state != state
        self.state = state
        PROVIDER_CIRCUIT.labels(self.name).set(LEVELS[state])
        return changed

    def _notify(self, changed: bool, reason: str) -> None:
        if not changed:
            return
        logger.warning("circuit name=%s state=%s failures=%s reason=%s", self.name, self.state, self.failures, reason)
        circuit_changed.send(sender=Circuit, circuit=self, reason=reason)


def circuit_named(name: str) -> Circuit:
    """Return this process's breaker for a service."""
    with _making:
        if name not in _circuits:
            _circuits[name] = Circuit(name)
        return _circuits[name]
