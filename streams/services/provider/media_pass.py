"""Look up media tokens presented at the product's own addresses."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from livestream.errors import Denied, NotAuthenticated
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


def pass_required(*, token: str, session_id: UUID, role: MediaRole) -> Pass:
    """Return the token's scope if it is valid for this session and role. Raises NotAuthenticated, Denied."""
    held = pass_presented(token=token)
    if held is None:
        raise token_not_valid()
    if held.session_id != session_id:
        raise Denied("media.wrong_session", "The media token is for another show.")
    if held.role != role:
        raise Denied("media.wrong_role", "The media token does not allow this.")
    return held


def token_not_valid() -> NotAuthenticated:
    """Return the one error for every reason a token is refused, so that it reveals nothing."""
    return NotAuthenticated("media.bad_token", "The media token is missing, expired or not valid here.")
