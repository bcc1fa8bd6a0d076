"""Revoking what a participant holds when they may no longer send, or no longer be in the show."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils import timezone

# A revoked credential may open something at a provider for so long: tokens live ten minutes at most, LiveKit itself
# gives connected clients new ones of ten minutes, and clocks differ.
OPENS_FOR = timedelta(minutes=12)


class Lost(StrEnum):
    """What a person may no longer do in a session."""

    PUBLISHING = "publishing"
    EVERYTHING = "everything"


Revoke = Callable[[UUID, UUID, Lost, datetime], object]

_revocations: list[Revoke] = []


def when_lost(revoke: Revoke) -> None:
    """Have a function called with session, person, loss and moment; an app registers its own when it is loaded."""
    if revoke not in _revocations:
        _revocations.append(revoke)


def credentials_revoke(*, session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> None:
    """Revoke what somebody holds for what they lost; part of the transaction that takes the right away.

    Credentials issued meanwhile are not seen before it commits, so they are revoked after the commit.
    """
    _revoke(session_id, user_id, lost, now)
    transaction.on_commit(lambda: _revoke(session_id, user_id, lost, timezone.now()), robust=True)


def _revoke(session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> None:
    for revoke in _revocations:
        revoke(session_id, user_id, lost, now)
