"""What other apps do when a session is over, inside the transaction that ends it."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

Ending = Callable[[UUID, datetime], object]

_endings: list[Ending] = []


def when_over(ending: Ending) -> None:
    """Have a function called with the session and the moment; an app registers its own once, when it is loaded."""
    if ending not in _endings:
        _endings.append(ending)


def endings_run(*, session_id: UUID, now: datetime) -> None:
    """Call what was registered."""
    for ending in _endings:
        ending(session_id, now)
