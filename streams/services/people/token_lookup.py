"""Look up media tokens presented at the product's own addresses."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from providers.interface import MediaRole


@dataclass(frozen=True, slots=True)
class Pass:
    """The holder and scope of a token: one session, one channel of one provider, one role."""

    session_id: UUID
    user_id: UUID | None
    uid: str
    provider: str
    channel_id: str
    role: MediaRole


Reader = Callable[[str], Pass | None]

_reader: Reader | None = None


def when_presented(reader: Reader) -> None:
    """Set the lookup function, because an app above stores the tokens."""
    global _reader
    _reader = reader


def pass_presented(*, token: str) -> Pass | None:
    """Return the token's scope, or None if it is unknown, revoked or expired."""
    return _reader(token) if _reader else None
