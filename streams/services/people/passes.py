"""Look up media tokens presented at the product's own addresses."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from providers.base import MediaRole


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

_readers: list[Reader] = []


def when_presented(reader: Reader) -> None:
    """Register the lookup. Apps register once, when loaded."""
    if reader not in _readers:
        _readers.append(reader)


def pass_presented(*, token: str) -> Pass | None:
    """The token's scope; None when it is unknown, revoked or expired."""
    found = (reader(token) for reader in _readers)
    return next((held for held in found if held is not None), None)
