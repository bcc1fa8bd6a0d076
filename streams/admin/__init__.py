"""Sessions and all that hangs on them, for moderators: read everything, end what must end."""

from streams.admin import gifts, media, recordings, session, stage, upkeep

__all__ = ["gifts", "media", "recordings", "session", "stage", "upkeep"]
