"""Sessions and people as primitives, the same over HTTP and the socket."""

from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import User
from streams.models import GuestRequest, GuestRequestStatus, Participant, SessionSettings, StreamSession
from streams.permissions import takes_guests
from streams.state import OVER, SessionState

SETTINGS_FIELDS = (
    "max_participants",
    "allow_guests",
    "require_approval",
    "max_guests",
    "enable_chat",
    "guest_audio_default",
    "guest_video_default",
    "slow_mode_seconds",
    "grace_seconds",
)


def instant(value: datetime | None) -> str | None:
    """Format a time as ISO 8601 in UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value else None


def person_payload(user: User) -> dict[str, Any]:
    """Return the public part of a person."""
    return {"id": str(user.pk), "username": user.username, "display_name": user.shown_name}


def settings_payload(settings: SessionSettings) -> dict[str, Any]:
    """Return the settings of a session."""
    return {name: getattr(settings, name) for name in SETTINGS_FIELDS}


def poster_url(session: StreamSession) -> str | None:
    """Return the poster's address, which changes with the image."""
    if not session.poster.name:
        return None
    version = session.poster.name.rpartition("/")[2].partition(".")[0]
    return f"/api/v1/sessions/{session.pk}/poster/?v={version}"


def duration_seconds(session: StreamSession, *, now: datetime) -> int:
    """Return how long the show has run, or ran, in seconds."""
    if session.started_at is None:
        return 0
    end = session.ended_at if session.state in OVER else now
    return max(0, int(((end or now) - session.started_at).total_seconds()))


def host_present(session: StreamSession) -> bool:
    """Return whether the host's media is arriving."""
    open_ = session.state not in OVER
    return open_ and session.host_lease_at is not None and session.host_lost_at is None


def host_lost_until(session: StreamSession) -> datetime | None:
    """Return when a live session ends because its host's media is lost, or None if it is not."""
    if session.state != SessionState.ACTIVE or session.host_lost_at is None:
        return None
    return session.host_lost_at + timedelta(seconds=session.settings.grace_seconds)


def session_payload(session: StreamSession, *, now: datetime) -> dict[str, Any]:
    """Return a session as seen by everyone with access. Needs `host` and `settings` loaded."""
    return {
        "id": str(session.pk),
        "title": session.title,
        "description": session.description,
        "session_type": session.session_type,
        "provider": session.provider,
        "state": session.state,
        "version": session.version,
        "visibility": session.visibility,
        "host": person_payload(session.host),
        "auction_id": session.auction_id,
        "scheduled_for": instant(session.scheduled_for),
        "created_at": instant(session.created_at),
        "started_at": instant(session.started_at),
        "paused_at": instant(session.paused_at) if session.state == SessionState.PAUSED else None,
        "ended_at": instant(session.ended_at),
        "end_reason": session.end_reason or None,
        "viewer_count": session.viewer_count,
        "peak_viewers": session.peak_viewers,
        "total_viewers": session.total_viewers,
        "guest_count": session.guest_count,
        "takes_guests": takes_guests(session),
        "duration_seconds": duration_seconds(session, now=now),
        "poster_url": poster_url(session),
        "host_present": host_present(session),
        "host_lost_until": instant(host_lost_until(session)),
        "settings": settings_payload(session.settings),
        "url": f"/live/{session.pk}/",
    }


def participant_payload(participant: Participant) -> dict[str, Any]:
    """Return a participant. Needs `user` and `moderates` loaded."""
    return {
        "user": person_payload(participant.user),
        "role": participant.role,
        "status": participant.status,
        "moderator": participant.moderates,
        "joined_at": instant(participant.joined_at),
        "left_at": instant(participant.left_at),
        "audio_muted": participant.audio_muted,
        "video_muted": participant.video_muted,
        "audio_muted_by": participant.audio_muted_by or None,
        "video_muted_by": participant.video_muted_by or None,
        "screen_sharing": participant.screen_sharing,
    }


def stage_payload(participant: Participant, *, number: int | None) -> dict[str, Any]:
    """Return a person on stage as sent to the room, with their uid if the provider identifies people by numbers."""
    payload = participant_payload(participant)
    return payload if number is None else payload | {"media_uid": str(number)}


def request_payload(
    request: GuestRequest, *, position: int | None = None, retry_after: float | None = None
) -> dict[str, Any]:
    """Return a guest request or an invitation. Needs `user`, `responder` and `invited_by` loaded.

    `position` is the place in the queue, from 1. `retry_after` is in seconds, until the person may ask again.
    """
    return {
        "id": str(request.pk),
        "user": person_payload(request.user),
        "message": request.message,
        "status": request.status,
        "reason": request.reason,
        "created_at": instant(request.created_at),
        "expires_at": instant(request.expires_at),
        "answered_at": instant(request.answered_at),
        "position": position if request.status == GuestRequestStatus.PENDING else None,
        "responder": person_payload(request.responder) if request.responder else None,
        "invited_by": person_payload(request.invited_by) if request.invited_by else None,
        "retry_after": retry_after,
    }
