"""A live session and everything that hangs on it. Only services write these."""

from streams.models.gifts import Gift, GiftTransaction, ReactionTotal, Wallet, WalletEntry
from streams.models.media import LeftRoom, MediaResource, MediaUid, ProviderDelivery, ProviderHealth, ProviderRoom
from streams.models.recordings import Post, Recording, RecordingStatus
from streams.models.session import (
    AuditEntry,
    SessionEvent,
    SessionSettings,
    SessionTransition,
    SessionType,
    StreamSession,
    ViewerSample,
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
    "Gift",
    "GiftTransaction",
    "GuestRequest",
    "GuestRequestStatus",
    "JanitorLease",
    "LeftRoom",
    "MediaResource",
    "MediaUid",
    "MutedBy",
    "Participant",
    "ParticipantStatus",
    "Post",
    "ProviderDelivery",
    "ProviderHealth",
    "ProviderRoom",
    "ReactionTotal",
    "Recording",
    "RecordingStatus",
    "Role",
    "SessionEvent",
    "SessionModerator",
    "SessionSettings",
    "SessionTransition",
    "SessionType",
    "StreamSession",
    "ViewerSample",
    "Visibility",
    "Wallet",
    "WalletEntry",
]
