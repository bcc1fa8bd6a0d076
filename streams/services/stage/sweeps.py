"""Timeouts on stage: guest requests expire, and absent guests lose their seats."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from livestream.errors import DomainError
from providers.interface import Capability
from providers.registry import provider_named
from streams.models import GuestRequest, GuestRequestStatus, Participant, ParticipantStatus
from streams.permissions import GUESTS
from streams.selectors import guest_requests
from streams.services.provider.participant_sync import participant_sync_deliver
from streams.services.stage.guest_queue import requests_resolve
from streams.services.stage.seats import person_lock, seat_leave, session_lock_if_open, stage_lock, stage_notify
from streams.state import OPEN

AT_ONCE = 200

logger = logging.getLogger(__name__)


def requests_expire(*, now: datetime) -> int:
    """Expire unanswered requests and invitations. Return how many."""
    overdue = GuestRequest.objects.filter(
        status=GuestRequestStatus.PENDING, expires_at__lte=now, session__state__in=OPEN
    )
    expired = 0
    for session_id in list(overdue.order_by().values_list("session_id", flat=True).distinct()[:AT_ONCE]):
        with transaction.atomic():
            if not session_lock_if_open(session_id):
                continue
            rows = guest_requests().select_for_update(of=("self",)).filter(session_id=session_id, expires_at__lte=now)
            late = list(rows.filter(status=GuestRequestStatus.PENDING).order_by("expires_at")[:AT_ONCE])
            requests_resolve(late, status=GuestRequestStatus.EXPIRED, responder_id=None, now=now)
            expired += len(late)
    return expired


def guests_expire(*, now: datetime) -> int:
    """Free the seats of guests whose media never arrived or has been lost for too long. Return how many.

    Only at providers that report publishers; elsewhere guests are assumed present.
    """
    rows = _absent(now).filter(session__state__in=OPEN).values("session_id", "user_id", "session__provider")
    freed = 0
    for row in list(rows.order_by("staged_at")[:AT_ONCE]):
        if Capability.HOST_PRESENCE not in provider_named(row["session__provider"]).capabilities:
            continue
        try:
            freed += _free(session_id=row["session_id"], user_id=row["user_id"], now=now)
        except DomainError as error:  # the show ended meanwhile
            logger.info("seat not freed session=%s code=%s", row["session_id"], error.code)
    return freed


def _absent(now: datetime) -> QuerySet[Participant]:
    lost_before = now - timedelta(seconds=settings.GUEST_GRACE_SECONDS)
    staged_before = now - timedelta(seconds=settings.GUEST_ARRIVAL_SECONDS)
    return Participant.objects.filter(
        Q(media_lost_at__lt=lost_before) | Q(media_seen_at__isnull=True, staged_at__lt=staged_before),
        status=ParticipantStatus.ACTIVE,
        role__in=GUESTS,
    )


def _free(*, session_id: UUID, user_id: UUID, now: datetime) -> bool:
    with transaction.atomic():
        stage_lock(session_id)
        person = person_lock(session_id, user_id)
        if not _absent(now).filter(pk=person.pk).exists():  # returned while waiting for the lock
            return False
        seat_leave(person=person, now=now)
        stage_notify(session_id=session_id, user_id=user_id, what="left", by=None, now=now)
    participant_sync_deliver(session_id=session_id, user_ids=[user_id])
    logger.info("seat freed, guest media lost session=%s user=%s", session_id, user_id)
    return True
