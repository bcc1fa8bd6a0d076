"""Revoking what a participant holds when they may no longer send, or no longer be in the show."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils import timezone

# How long a revoked credential may still work at a provider: tokens live at most ten minutes, LiveKit renews them for
# connected clients for another ten, and clocks differ.
OPENS_FOR = timedelta(minutes=12)


class Lost(StrEnum):
    """What a person may no longer do in a session."""

    PUBLISHING = "publishing"
    EVERYTHING = "everything"


Revoke = Callable[[UUID, UUID, Lost, datetime], object]

_revocations: list[Revoke] = []


def when_lost(revoke: Revoke) -> None:
    """Register a callback, called with session, person, loss and time. Apps register once, when loaded."""
    if revoke not in _revocations:
        _revocations.append(revoke)


def credentials_revoke(*, session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> None:
    """Revoke a participant's credentials, in the transaction that removes the right.

    Credentials issued meanwhile are not seen before it commits, so they are revoked after the commit.
    """
    _revoke(session_id, user_id, lost, now)
    transaction.on_commit(lambda: _revoke(session_id, user_id, lost, timezone.now()), robust=True)


def _revoke(session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> None:
    for revoke in _revocations:
        revoke(session_id, user_id, lost, now)
