"""Timeouts of sessions: never started, host never arrived, host lost, paused too long."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from livestream.actors import SYSTEM
from livestream.errors import DomainError
from providers.interface import Capability
from providers.registry import providers_with
from streams.models import JanitorLease, SessionSettings, SessionTransition, StreamSession
from streams.services.show.sessions import session_end
from streams.state import EndReason, SessionState

LEASE_SECONDS = 15

logger = logging.getLogger(__name__)


def lease_take(*, name: str, holder: str, now: datetime) -> bool:
    """Acquire or renew the lease for a job. Return whether this process holds it."""
    until = now + timedelta(seconds=LEASE_SECONDS)
    mine_or_free = JanitorLease.objects.filter(Q(holder=holder) | Q(until__lt=now), name=name)
    if mine_or_free.update(holder=holder, until=until):
        return True
    with transaction.atomic():
        _, made = JanitorLease.objects.get_or_create(name=name, defaults={"holder": holder, "until": until})
    return made


def lease_release(*, name: str, holder: str) -> None:
    """Release the lease."""
    JanitorLease.objects.filter(name=name, holder=holder).delete()


def sessions_expire(*, now: datetime) -> int:
    """End the sessions that timed out. Return how many."""
    ended = 0
    for session_id, reason in list(_overdue(now)):
        try:
            session_end(session_id=session_id, actor=SYSTEM, reason=reason)
            ended += 1
        except DomainError as error:  # its state changed meanwhile
            logger.info("session not ended id=%s code=%s", session_id, error.code)
    return ended


def _overdue(now: datetime) -> Iterator[tuple[UUID, EndReason]]:
    sessions = StreamSession.objects
    stale = now - timedelta(seconds=settings.SESSION_START_TIMEOUT_SECONDS)
    never_started = sessions.filter(state=SessionState.INITIALIZING).alias(
        due=Coalesce(F("scheduled_for"), F("created_at"), Value(now))
    )
    for pk in never_started.filter(due__lt=stale).values_list("pk", flat=True):
        yield pk, EndReason.NEVER_STARTED
    arrival = now - timedelta(seconds=settings.HOST_ARRIVAL_SECONDS)
    reporting = providers_with(Capability.HOST_PRESENCE)  # elsewhere only the host can end it
    active = sessions.filter(state=SessionState.ACTIVE, provider__in=reporting)
    absent = active.filter(host_lease_at__isnull=True, started_at__lt=arrival)
    # A pause resets the host's grace period.
    resumed = SessionTransition.objects.filter(to_state=SessionState.ACTIVE, created_at__gte=arrival)
    absent = absent.exclude(pk__in=resumed.values("session_id"))
    for pk in absent.values_list("pk", flat=True):
        yield pk, EndReason.HOST_NEVER_CAME
    lost = active.filter(host_lost_at__isnull=False)
    for pk, lost_at in lost.values_list("pk", "host_lost_at"):
        grace = SessionSettings.objects.values_list("grace_seconds", flat=True).get(pk=pk)
        if lost_at is not None and lost_at + timedelta(seconds=grace) < now:
            yield pk, EndReason.HOST_LOST
    long_ago = now - timedelta(seconds=settings.PAUSE_TIMEOUT_SECONDS)
    for pk in sessions.filter(state=SessionState.PAUSED, paused_at__lt=long_ago).values_list("pk", flat=True):
        yield pk, EndReason.PAUSED_TOO_LONG
