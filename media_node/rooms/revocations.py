"""Revocation of grants before they expire.

A revocation voids all grants issued so far in a session, to one user or to all. It is dropped once all these grants
have expired.
"""

from __future__ import annotations

from media_node.grants import LEEWAY_SECONDS, LIFETIME_LIMIT_SECONDS, Grant, Role

_REMEMBERED_SECONDS = LIFETIME_LIMIT_SECONDS + 2 * LEEWAY_SECONDS


class Revocations:
    """The revocations and their times, in Unix seconds."""

    def __init__(self) -> None:
        self._revoked_at: dict[tuple[str, str | None, Role | None], float] = {}

    def __len__(self) -> int:
        return len(self._revoked_at)

    def revoke_session(self, *, session: str, now: float) -> None:
        """Revoke all grants for the session issued up to now."""
        self._revoked_at[session, None, None] = now

    def revoke_user(self, *, session: str, user: str, now: float) -> None:
        """Revoke all grants of this user for the session issued up to now."""
        self._revoked_at[session, user, None] = now

    def revoke_role(self, *, session: str, user: str, role: Role, now: float) -> None:
        """Revoke all grants of this user for the session with this role, issued up to now."""
        self._revoked_at[session, user, role] = now

    def covers(self, grant: Grant) -> bool:
        """Return whether a revocation covers the grant."""
        for user, role in ((None, None), (grant.sub, None), (grant.sub, grant.role)):
            revoked_at = self._revoked_at.get((grant.session, user, role))
            if revoked_at is not None and grant.iat <= revoked_at:
                return True
        return False

    def forget_expired(self, *, now: float) -> None:
        """Drop revocations whose grants have all expired."""
        old = [key for key, at in self._revoked_at.items() if now - at > _REMEMBERED_SECONDS]
        for key in old:
            del self._revoked_at[key]
