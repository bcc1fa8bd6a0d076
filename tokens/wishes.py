"""Who wants a media token for what, and whether they may have it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from accounts.services import access_versions
from livestream.actors import Actor
from livestream.batching import GatheredInThreads
from livestream.errors import Conflict, Denied, DomainError, Missing, NotAuthenticated
from livestream.prepared import PreparedBulk
from providers.base import MediaRole
from streams.models import StreamSession
from streams.permissions import NOBODY, Standing, require_view_as, standings_of
from streams.state import OVER


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what; nothing is checked yet."""

    session_id: UUID
    actor: Actor
    role: MediaRole


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants a token for what, and what was known of them at `now`."""

    session: StreamSession
    actor: Actor
    standing: Standing
    role: MediaRole
    now: datetime

    @property
    def asked(self) -> Asked:
        """The same, not checked."""
        return Asked(self.session.pk, self.actor, self.role)


_sessions = PreparedBulk(StreamSession)


def wishes_of(asked: Sequence[Asked]) -> list[Wish | Exception]:
    """For each, in order, the wish or why it may not be had: as many queries for a crowd as for one."""
    now = timezone.now()  # before the standing is read: who is put out meanwhile has a token from before that
    sessions = _sessions({one.session_id for one in asked})
    people = {(one.session_id, one.actor.user_id): one.actor for one in asked if one.actor.user_id}
    standings = standings_of(actors=people)
    access = access_versions({one.actor.user_id for one in asked if one.actor.user_id})
    wishes: list[Wish | Exception] = []
    for one in asked:
        standing = standings.get((one.session_id, one.actor.user_id), NOBODY) if one.actor.user_id else NOBODY
        try:
            if one.actor.user_id and access.get(one.actor.user_id) != one.actor.access:
                raise NotAuthenticated()  # a new password, or new rights, since they were let in
            wishes.append(_checked(one, sessions.get(one.session_id), standing, now))
        except DomainError as error:
            wishes.append(error)
    return wishes


def _checked(asked: Asked, session: StreamSession | None, standing: Standing, now: datetime) -> Wish:
    if session is None:
        raise Missing("session.missing", "There is no such show.")
    require_view_as(standing=standing, actor=asked.actor, session=session)
    if session.state in OVER:  # first: everybody has left the stage of a show that is over, its host too
        raise Conflict("session.ended", "This show is over.")
    if asked.role == MediaRole.PUBLISHER:
        if asked.actor.user_id is None:
            raise NotAuthenticated()
        if not standing.can_publish:
            raise Denied("token.role_not_held", "Only the host and guests on stage may send video.")
    return Wish(session, asked.actor, standing, asked.role, now)


# What is wanted, by somebody who may have it. Raises the domain's errors for everybody else.
wish_of = GatheredInThreads(wishes_of)
