"""Expiring media tokens: their holders are notified in time, and the tokens are deleted later."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef

from livestream.events import publish
from livestream.realtime.groups import user_group
from streams.payloads import instant
from streams.state import OPEN
from tokens.events import TokenExpiring
from tokens.models import IssuedToken
from tokens.services import tokens_valid

KEEP_EXPIRED = timedelta(days=1)
# Time between notification and expiry, enough for a few attempts.
NOTIFY_BEFORE = timedelta(seconds=60)
NOTIFIED_AT_ONCE, FORGOTTEN_AT_ONCE = 1000, 5000


def tokens_expiring_notify(*, now: datetime) -> int:
    """Notify holders whose token expires soon, once each, unless they have a newer one. Return how many were
    notified."""
    newer = IssuedToken.objects.filter(
        session_id=OuterRef("session_id"),
        user_id=OuterRef("user_id"),
        role=OuterRef("role"),
        expires_at__gt=OuterRef("expires_at"),
        revoked_at__isnull=True,
    )
    due = tokens_valid(now).filter(
        expires_at__lte=now + NOTIFY_BEFORE, notified_at__isnull=True, user__isnull=False, session__state__in=OPEN
    )
    notified = 0
    for row in due.exclude(Exists(newer)).order_by("expires_at")[:NOTIFIED_AT_ONCE]:
        with transaction.atomic():
            if not IssuedToken.objects.filter(pk=row.pk, notified_at__isnull=True).update(notified_at=now):
                continue
            data = {
                "session": str(row.session_id),
                "provider": row.provider,
                "role": row.role,
                "expires_at": instant(row.expires_at),
            }
            event = TokenExpiring(session_id=row.session_id, at=now, data=data)
            publish(event, group=user_group(row.user_id)) if row.user_id else None
        notified += 1
    return notified


def tokens_forget(*, now: datetime) -> int:
    """Delete tokens that expired a while ago, a limited number at a time. Return how many were deleted."""
    old = IssuedToken.objects.order_by().filter(expires_at__lt=now - KEEP_EXPIRED)
    deleted, _ = IssuedToken.objects.filter(pk__in=old.values("pk")[:FORGOTTEN_AT_ONCE]).delete()
    return deleted
