"""What other apps do when somebody may not send, or not even be here, any more; inside the transaction that says so."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

# What was taken back may open something at a provider for so long: a token lives ten minutes at most, LiveKit gives
# those who are there others of ten minutes by itself, and clocks differ.
OPENS_FOR = timedelta(minutes=12)


class Lost(StrEnum):
    """What a person may no longer do in a session."""

    PUBLISHING = "publishing"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Taken:
    """`known`: the person was ever given something for what they lost, and for the room as it is.

    `found`: something was still good."""

    known: bool
    found: bool


Revocation = Callable[[UUID, UUID, Lost, datetime], Taken]

_revocations: list[Revocation] = []


def when_lost(revocation: Revocation) -> None:
    """Have a function called with session, person, loss and moment; an app registers its own when it is loaded."""
    if revocation not in _revocations:
        _revocations.append(revocation)


def credentials_revoke(*, session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> Taken:
    """Call what was registered; what came of it altogether."""
    taken = [revocation(session_id, user_id, lost, now) for revocation in _revocations]
    return Taken(known=any(one.known for one in taken), found=any(one.found for one in taken))
