"""A live session and its related rows. Only services write these."""

from streams.models.media import MediaResource, MediaUid, ProviderDelivery, ProviderHealth, ProviderRoom
from streams.models.session import (
    AuditEntry,
    SessionEvent,
    SessionSettings,
    SessionTransition,
    SessionType,
    StreamSession,
    Visibility,
)
from streams.models.stage import (
    GuestRequest,
    GuestRequestStatus,
    MutedBy,
    Participant,
    ParticipantStatus,
    Role,
    SessionModerator,
)
from streams.models.upkeep import JanitorLease

__all__ = [
    "AuditEntry",
    "GuestRequest",
    "GuestRequestStatus",
    "JanitorLease",
    "MediaResource",
    "MediaUid",
    "MutedBy",
    "Participant",
    "ParticipantStatus",
    "ProviderDelivery",
    "ProviderHealth",
    "ProviderRoom",
    "Role",
    "SessionEvent",
    "SessionModerator",
    "SessionSettings",
    "SessionTransition",
    "SessionType",
    "StreamSession",
    "Visibility",
]
