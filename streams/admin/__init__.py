"""Sessions and all that hangs on them, for moderators: read everything, end what must end."""

from streams.admin import audit, gifts, media, recordings, session, stage, upkeep

__all__ = ["audit", "gifts", "media", "recordings", "session", "stage", "upkeep"]
