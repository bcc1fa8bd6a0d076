"""Authorization of media tokens against the current state of the database."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from accounts.services import access_versions
from livestream.actors import Actor
from livestream.errors import Conflict, Denied, DomainError, Missing, NotAuthenticated
from livestream.plain_sql import with_ids
from providers.interface import MediaRole
from streams.models import StreamSession
from streams.permissions import NO_STANDING, Standing, require_view_as, standings_of
from streams.state import OVER

SESSIONS = "SELECT * FROM streams_streamsession WHERE id IN ({})"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request for a media token, not checked yet."""

    session_id: UUID
    actor: Actor
    role: MediaRole


@dataclass(frozen=True, slots=True)
class AuthorizedRequest:
    """An authorized request, with the state it was checked against at `now`."""

    session: StreamSession
    actor: Actor
    standing: Standing
    role: MediaRole
    now: datetime

    @property
    def unchecked(self) -> TokenRequest:
        """The same request, to be checked again."""
        return TokenRequest(self.session.pk, self.actor, self.role)


def authorize_all(requests: Sequence[TokenRequest]) -> list[AuthorizedRequest | Exception]:
    """Authorize each request, in order; refused ones get their error. A crowd takes as many queries as one request."""
    now = timezone.now()  # before reading the standing: a token of a person removed meanwhile then predates the removal
    sessions = _sessions({one.session_id for one in requests})
    people = {(one.session_id, one.actor.user_id): one.actor for one in requests if one.actor.user_id}
    standings = standings_of(actors=people)
    access = access_versions({one.actor.user_id for one in requests if one.actor.user_id})
    answers: list[AuthorizedRequest | Exception] = []
    for one in requests:
        standing = standings.get((one.session_id, one.actor.user_id), NO_STANDING) if one.actor.user_id else NO_STANDING
        try:
            if one.actor.user_id and access.get(one.actor.user_id) != one.actor.access:
                raise NotAuthenticated()  # the password or rights changed after log-in
            answers.append(_checked(one, sessions.get(one.session_id), standing, now))
        except DomainError as error:
            answers.append(error)
    return answers


def _sessions(ids: Collection[UUID]) -> dict[UUID, StreamSession]:
    rows = StreamSession.objects.raw(*with_ids(SESSIONS, ids)) if ids else ()
    return {one.pk: one for one in rows}


def authorize(request: TokenRequest) -> AuthorizedRequest:
    """Authorize one request. Raises DomainError."""
    (answer,) = authorize_all([request])
    if isinstance(answer, Exception):
        raise answer
    return answer


def _checked(
    request: TokenRequest, session: StreamSession | None, standing: Standing, now: datetime
) -> AuthorizedRequest:
    if session is None:
        raise Missing("session.missing", "Show not found.")
    require_view_as(standing=standing, actor=request.actor, session=session)
    if session.state in OVER:  # first, because everyone has left the stage of an ended show, even its host
        raise Conflict("session.ended", "This show has ended.")
    if request.role == MediaRole.PUBLISHER:
        if request.actor.user_id is None:
            raise NotAuthenticated()
        if not standing.can_publish:
            raise Denied("token.role_not_held", "Only the host and guests on stage can send video.")
    return AuthorizedRequest(session, request.actor, standing, request.role, now)
