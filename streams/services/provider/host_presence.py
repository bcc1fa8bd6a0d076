"""The presence of the host's media, as reports and comparisons note it."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from livestream.events import publish
from streams.events import HostBack, HostLost
from streams.models import StreamSession
from streams.payloads import instant
from streams.state import LIVE, OPEN

logger = logging.getLogger(__name__)


def host_seen(*, session_id: UUID, at: datetime) -> None:
    """Note that the host's media arrives. Outdated reports change nothing."""
    with transaction.atomic():
        open_ = StreamSession.objects.filter(pk=session_id, state__in=OPEN)
        newer = open_.filter(Q(host_lease_at__isnull=True) | Q(host_lost_at__isnull=False, host_lost_at__lt=at))
        if newer.update(host_lease_at=at, host_lost_at=None):
            publish(HostBack(session_id=session_id, at=timezone.now()))
            logger.info("host media arrived session=%s", session_id)
        else:  # already present; a late report of an earlier loss is then outdated
            open_.filter(host_lost_at__isnull=True, host_lease_at__lt=at).update(host_lease_at=at)


def host_lost(*, session_id: UUID, at: datetime) -> None:
    """Note that the host's media is lost. Outdated reports, and a host who never arrived, change nothing."""
    with transaction.atomic():
        there = StreamSession.objects.filter(
            pk=session_id, state__in=OPEN, host_lost_at__isnull=True, host_lease_at__lt=at
        )
        if not there.update(host_lost_at=at):
            return
        session = StreamSession.objects.select_related("settings").get(pk=session_id)
        if session.state in LIVE:
            until = at + timedelta(seconds=session.settings.grace_seconds)
            publish(HostLost(session_id=session_id, at=timezone.now(), data={"until": instant(until)}))
        logger.info("host media lost session=%s", session_id)
