"""What other apps know of a media token that somebody presents at one of our own addresses."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from providers.base import MediaRole


@dataclass(frozen=True, slots=True)
class Pass:
    """Whose token it is, and for what: one session, one channel of one provider, one role."""

    session_id: UUID
    user_id: UUID | None
    uid: str
    provider: str
    channel_id: str
    role: MediaRole


Reader = Callable[[str], Pass | None]

_readers: list[Reader] = []


def when_presented(reader: Reader) -> None:
    """Have a function asked about a token; an app registers its own once, when it is loaded."""
    if reader not in _readers:
        _readers.append(reader)


def pass_presented(*, token: str) -> Pass | None:
    """What the token is good for at this moment; None for one that was taken back, ran out, or is nobody's."""
    found = (reader(token) for reader in _readers)
    return next((held for held in found if held is not None), None)
