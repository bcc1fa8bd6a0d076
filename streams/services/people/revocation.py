"""Revocation of a participant's credentials when they lose the right to send or to be in the show."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from streams.models import StreamSession
from streams.signals import rights_lost

# How long a revoked credential may still work at a provider: tokens live at most ten minutes, LiveKit renews them for
# connected clients for another ten, and clocks differ.
OPENS_FOR = timedelta(minutes=12)


class Lost(StrEnum):
    """The rights that a person lost in a session."""

    PUBLISHING = "publishing"
    EVERYTHING = "everything"


def credentials_revoke(*, session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> None:
    """Revoke a participant's credentials, in the transaction that removes the right.

    Credentials issued meanwhile are not seen before it commits, so they are revoked after the commit.
    """
    _revoke(session_id, user_id, lost, now)
    transaction.on_commit(lambda: _revoke(session_id, user_id, lost, timezone.now()), robust=True)


def _revoke(session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> None:
    rights_lost.send(sender=StreamSession, session_id=session_id, user_id=user_id, lost=lost, now=now)
