"""Callbacks of other apps inside the transaction that ends a session."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

Ending = Callable[[UUID, datetime], object]

_endings: list[Ending] = []


def when_over(ending: Ending) -> None:
    """Register a callback, called with session id and time. Apps register once, when loaded."""
    if ending not in _endings:
        _endings.append(ending)


def endings_run(*, session_id: UUID, now: datetime) -> None:
    """Run the registered callbacks."""
    for ending in _endings:
        ending(session_id, now)
