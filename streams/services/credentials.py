"""What other apps do when somebody may not send, or not even be here, any more; inside the transaction that says so."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Lost(StrEnum):
    """What a person may no longer do in a session."""

    PUBLISHING = "publishing"
    EVERYTHING = "everything"


Revocation = Callable[[UUID, UUID, Lost, datetime], object]

_revocations: list[Revocation] = []


def when_lost(revocation: Revocation) -> None:
    """Have a function called with session, person, loss and moment; an app registers its own when it is loaded."""
    if revocation not in _revocations:
        _revocations.append(revocation)


def credentials_revoke(*, session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> None:
    """Call what was registered."""
    for revocation in _revocations:
        revocation(session_id, user_id, lost, now)
