"""Sessions and all that hangs on them, for moderators: read everything, end what must end."""

from streams.admin import audit, media, session, stage, upkeep

__all__ = ["audit", "media", "session", "stage", "upkeep"]
