"""Names of groups, built only here. Layers allow ASCII letters, digits, dots and dashes."""

from uuid import UUID

PEOPLE = "people"


def room_group(session_id: UUID) -> str:
    """Return the group of all sockets in a session's room."""
    return f"room.{session_id.hex}"


def session_of(group: str) -> UUID | None:
    """Return the session of a room's group, or None for other groups."""
    kind, _, name = group.partition(".")
    return UUID(hex=name) if kind == "room" else None


def carrier_of(group: str) -> str:
    """Return the layer group that carries a group's messages.

    A room has its own. Smaller groups share one that every process receives: messages to them are rare, while a
    subscription per viewer would not be.
    """
    return group if group.startswith("room.") else PEOPLE


def studio_group(session_id: UUID) -> str:
    """Return the group of the studio: host, co-hosts and moderators of a session."""
    return f"studio.{session_id.hex}"


def user_group(user_id: UUID) -> str:
    """Return the group of one person's sockets in all rooms."""
    return f"user.{user_id.hex}"


def person_group(session_id: UUID, user_id: UUID) -> str:
    """Return the group of one person's sockets in one room."""
    return f"person.{session_id.hex}.{user_id.hex}"
