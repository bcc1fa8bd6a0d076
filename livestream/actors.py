"""The acting person: the `actor=` of all services."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from livestream.errors import NotAuthenticated


@dataclass(frozen=True, slots=True)
class Actor:
    """A logged-in person, an anonymous viewer (`user_id` None), or the product itself (`is_system`).

    `access` is the account's `access_version` at authentication; socket tickets do not carry it.
    """

    user_id: UUID | None = None
    username: str = ""
    display_name: str = ""
    is_staff: bool = False
    is_system: bool = False
    access: int = 0
    visitor: str = ""

    @property
    def person(self) -> str:
        """The name under which presence counts this person once, whatever their number of sockets."""
        return str(self.user_id) if self.user_id else f"anon:{self.visitor}"


ANONYMOUS = Actor()
SYSTEM = Actor(username="system", display_name="Livestream", is_system=True)


def actor_of(user: Any) -> Actor:
    """Return the actor for a Django user: anonymous if not logged in or not active."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return ANONYMOUS
    return Actor(
        user_id=user.pk,
        username=user.username,
        display_name=user.shown_name,
        is_staff=user.is_staff,
        access=user.access_version,
    )


def require_signed_in(actor: Actor) -> UUID:
    """Return the actor's user id. Raises NotAuthenticated for anonymous viewers."""
    if actor.user_id is None:
        raise NotAuthenticated()
    return actor.user_id
