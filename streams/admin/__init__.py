"""Admin pages of sessions and related rows, for moderators: read everything, end shows, remove people."""

from streams.admin import audit, media, session, stage, upkeep

__all__ = ["audit", "media", "session", "stage", "upkeep"]
