"""Grants taken back before they expire.

A revocation says: nothing issued to this user (or to anybody) in this session up to now counts any more.
It is forgotten once every grant it could concern has expired by itself.
"""

from __future__ import annotations

from media_node.grants import LEEWAY_SECONDS, LIFETIME_LIMIT_SECONDS, Grant, Role

_REMEMBERED_SECONDS = LIFETIME_LIMIT_SECONDS + 2 * LEEWAY_SECONDS


class Revocations:
    """Remembers what was revoked when. Times are Unix seconds."""

    def __init__(self) -> None:
        self._revoked_at: dict[tuple[str, str | None, Role | None], float] = {}

    def __len__(self) -> int:
        return len(self._revoked_at)

    def revoke_session(self, *, session: str, now: float) -> None:
        """Every grant for the session issued up to now is void."""
        self._revoked_at[session, None, None] = now

    def revoke_user(self, *, session: str, user: str, now: float) -> None:
        """Every grant of this user for the session issued up to now is void."""
        self._revoked_at[session, user, None] = now

    def revoke_role(self, *, session: str, user: str, role: Role, now: float) -> None:
        """Every grant of this user for the session that allows this role and was issued up to now is void."""
        self._revoked_at[session, user, role] = now

    def covers(self, grant: Grant) -> bool:
        """Whether the grant was issued before a revocation that concerns it."""
        for user, role in ((None, None), (grant.sub, None), (grant.sub, grant.role)):
            revoked_at = self._revoked_at.get((grant.session, user, role))
            if revoked_at is not None and grant.iat <= revoked_at:
                return True
        return False

    def forget_expired(self, *, now: float) -> None:
        """Drop what no living grant can meet."""
        old = [key for key, at in self._revoked_at.items() if now - at > _REMEMBERED_SECONDS]
        for key in old:
            del self._revoked_at[key]
