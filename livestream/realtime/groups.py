"""Names of the audiences; nobody else builds one. ASCII letters, digits, dots and dashes, as layers demand."""

from uuid import UUID

PEOPLE = "people"


def room_group(session_id: UUID) -> str:
    """Everybody in a session's room."""
    return f"room.{session_id.hex}"


def session_of(group: str) -> UUID | None:
    """The session whose room a group is; None for other groups."""
    kind, _, name = group.partition(".")
    return UUID(hex=name) if kind == "room" else None


def carrier_of(group: str) -> str:
    """The layer's group that carries an audience's messages.

    A room has its own. Smaller audiences share one that every process hears: what is sent to them is rare, and a
    subscription for every person who watches would not be.
    """
    return group if group.startswith("room.") else PEOPLE


def desk_group(session_id: UUID) -> str:
    """The host's desk: host, cohosts and moderators of a session."""
    return f"desk.{session_id.hex}"


def user_group(user_id: UUID) -> str:
    """One person's sockets in every room."""
    return f"user.{user_id.hex}"


def person_group(session_id: UUID, user_id: UUID) -> str:
    """One person's sockets in one room."""
    return f"person.{session_id.hex}.{user_id.hex}"
