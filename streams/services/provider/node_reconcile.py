"""Comparison with the built-in media node: its reports may get lost, so its publishers are listed regularly."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from livestream.errors import ProviderError
from livestream.identifiers import as_uuid
from providers.interface import Capability, Provider, RoomRef
from providers.registry import provider_named
from streams.models import Participant, ParticipantStatus, Role, StreamSession
from streams.permissions import GUESTS
from streams.services.provider.host_presence import host_lost, host_seen
from streams.services.provider.participant_sync import guest_lost, guest_seen, participant_sync_put
from streams.state import LIVE, OPEN

logger = logging.getLogger(__name__)


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
    _guests_reconcile(publishing={name: rooms[name] for name in known & set(rooms)}, now=now)
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


def _guests_reconcile(*, publishing: dict[str, set[str]], now: datetime) -> None:
    """Compare publishers with the stage. The node is right about media, the rows about rights.

    `publishing` are the rooms of the built-in node, session id -> user ids. It was read before the rows, so a guest who
    came on stage meanwhile is not taken for missing: they have never been seen yet.
    """
    guests = Participant.objects.filter(
        session__provider="builtin", session__state__in=OPEN, status=ParticipantStatus.ACTIVE, role__in=GUESTS
    ).values("session_id", "user_id", "media_seen_at", "media_lost_at")
    on_stage = set()
    for row in guests:
        key = {"session_id": row["session_id"], "user_id": row["user_id"]}
        on_stage.add((row["session_id"], row["user_id"]))
        present = str(row["user_id"]) in publishing.get(str(row["session_id"]), set())
        away = row["media_seen_at"] is None or row["media_lost_at"] is not None
        if present and away:
            guest_seen(**key, at=now)
        elif not present and not away:
            guest_lost(**key, at=now)
    for session_id, users in publishing.items():
        unseated = [user for user in users if (as_uuid(session_id), as_uuid(user)) not in on_stage]
        _send_away(session_id, unseated, now=now)


def _send_away(session_id: str, users: list[str], *, now: datetime) -> None:
    """Sync publishers without a seat again, which stops their media."""
    known = [user for user in map(as_uuid, users) if user is not None]
    session = as_uuid(session_id)
    if known and session is not None:
        rows = Participant.objects.filter(session_id=session, user_id__in=known, session__state__in=OPEN)
        rows = rows.exclude(role=Role.HOST).exclude(role__in=GUESTS, status=ParticipantStatus.ACTIVE)
        for person in rows.select_related("session"):
            participant_sync_put(person=person, now=now)
