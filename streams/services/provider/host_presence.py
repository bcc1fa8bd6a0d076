"""The presence of the host's media, from reports and by comparison with the built-in node."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from livestream.errors import ProviderError
from livestream.events import publish
from providers.interface import Capability, Provider, RoomRef
from providers.registry import provider_named
from streams.events import HostBack, HostLost
from streams.models import StreamSession
from streams.payloads import instant
from streams.services.provider.participant_sync import guests_reconcile
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


def media_reconcile(*, now: datetime) -> None:
    """Compare the built-in node's publishers with the sessions. The node is right about media.

    Rooms of ended sessions are closed. A node that does not respond counts as having no publishers.
    """
    sessions = list(
        StreamSession.objects.filter(provider="builtin", state__in=OPEN)
        .filter(Q(state__in=LIVE) | Q(host_lease_at__isnull=False) | Q(created_at__gt=now - timedelta(days=1)))
        .values("pk", "host_id", "host_lease_at", "host_lost_at", "state")
    )
    provider = provider_named("builtin")
    if Capability.HOST_PRESENCE not in provider.capabilities:
        return
    try:
        rooms = provider.publishers()  # even without sessions, because the room of the last one may need closing
    except ProviderError as error:
        if sessions:
            logger.warning("media node does not answer error=%s", error)
        rooms = {}
    known = set()
    for row in sessions:
        known.add(str(row["pk"]))
        present = str(row["host_id"]) in rooms.get(str(row["pk"]), set())
        if present and (row["host_lease_at"] is None or row["host_lost_at"] is not None):
            host_seen(session_id=row["pk"], at=now)
        elif not present and row["host_lease_at"] is not None and row["host_lost_at"] is None:
            host_lost(session_id=row["pk"], at=now)
    guests_reconcile(publishing={name: rooms[name] for name in known & set(rooms)}, now=now)
    for session_id in set(rooms) - known:
        _close_leftover(provider, session_id)


def _close_leftover(provider: Provider, name: str) -> None:
    """Close a room of the built-in node whose session is over, moved or unknown. The next comparison retries
    failures."""
    try:
        session_id = UUID(name)
    except ValueError:
        logger.warning("media node has a room that is no session's name=%r", name[:64])
        return
    if StreamSession.objects.filter(pk=session_id, provider="builtin", state__in=OPEN).exists():
        return
    try:
        provider.close(room=RoomRef(session_id=session_id, channel_id=""))
    except ProviderError as error:
        logger.warning("room not closed session=%s error=%s", session_id, error)


def viewers_record(session_id: UUID, count: int, newcomers: int) -> None:
    """Store the number of viewers. Called on a tick, only after a change."""
    rows = StreamSession.objects.filter(pk=session_id, state__in=OPEN)
    rows.filter(peak_viewers__lt=count).update(
        viewer_count=count, peak_viewers=count, total_viewers=F("total_viewers") + newcomers
    ) or rows.update(viewer_count=count, total_viewers=F("total_viewers") + newcomers)
