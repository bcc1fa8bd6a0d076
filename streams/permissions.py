"""Permissions in a session. All edges check them here."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from livestream.actors import Actor
from livestream.errors import Denied, Missing, NotAuthenticated
from livestream.plain_sql import select, uuid_of
from providers.interface import Capability
from providers.registry import provider_can
from streams.models import Participant, ParticipantStatus, Role, SessionModerator, StreamSession, Visibility
from streams.state import LIVE

ON_STAGE = frozenset({Role.HOST, Role.COHOST, Role.GUEST})
GUESTS = frozenset({Role.COHOST, Role.GUEST})  # those who take a seat on stage; the host has one anyway
OUT = frozenset({ParticipantStatus.KICKED, ParticipantStatus.BANNED})


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's standing in one session. `role` is None for people who never entered."""

    role: Role | None
    status: ParticipantStatus | None
    moderates: bool
    invited: bool = False

    @property
    def is_host(self) -> bool:
        return self.role == Role.HOST

    @property
    def is_banned(self) -> bool:
        return self.status == ParticipantStatus.BANNED

    @property
    def is_kicked(self) -> bool:
        return self.status == ParticipantStatus.KICKED

    @property
    def is_on_stage(self) -> bool:
        return self.role in ON_STAGE and self.status == ParticipantStatus.ACTIVE

    @property
    def is_member(self) -> bool:
        """Whether a private session is open to the person: on stage, invited, or a moderator."""
        return self.invited or self.moderates or self.role in ON_STAGE

    @property
    def can_moderate(self) -> bool:
        """Whether the person may moderate chat and stage: host, co-hosts, moderators and staff."""
        return self.moderates or self.role in (Role.HOST, Role.COHOST)

    @property
    def can_publish(self) -> bool:
        """Whether the person may publish media: only people on stage."""
        return self.is_on_stage


PARTICIPANTS = """SELECT session_id, user_id, role, status, invited FROM streams_participant
    WHERE session_id IN ({}) AND user_id IN ({})"""
MODERATORS = "SELECT session_id, user_id FROM streams_sessionmoderator WHERE session_id IN ({}) AND user_id IN ({})"
NO_STANDING = Standing(role=None, status=None, moderates=False)


def standing_of(*, actor: Actor, session_id: UUID) -> Standing:
    """Return the actor's standing from the database."""
    if actor.user_id is None:
        return NO_STANDING
    row = (
        Participant.objects.filter(session_id=session_id, user_id=actor.user_id)
        .values("role", "status", "invited")
        .first()
    )
    moderates = actor.is_staff or SessionModerator.objects.filter(session_id=session_id, user_id=actor.user_id).exists()
    if row is None:
        return Standing(role=None, status=None, moderates=moderates)
    return Standing(
        role=Role(row["role"]),
        status=ParticipantStatus(row["status"]),
        moderates=moderates,
        invited=row["invited"],
    )


def standing_in(person: Participant) -> Standing:
    """Return the standing from a loaded row. Needs `user` and `moderates` loaded."""
    return Standing(
        role=Role(person.role),
        status=ParticipantStatus(person.status),
        moderates=person.moderates or person.user.is_staff,
        invited=person.invited,
    )


def standings_of(*, actors: Mapping[tuple[UUID, UUID], Actor]) -> dict[tuple[UUID, UUID], Standing]:
    """Return standings by (session, user), in a constant number of queries."""
    if not actors:
        return {}
    scope = {session_id for session_id, _ in actors}, {user_id for _, user_id in actors}
    found = {
        (uuid_of(session_id), uuid_of(user_id)): (Role(role), ParticipantStatus(status), bool(invited))
        for session_id, user_id, role, status, invited in select(PARTICIPANTS, *scope)
    }
    moderators = {(uuid_of(session_id), uuid_of(user_id)) for session_id, user_id in select(MODERATORS, *scope)}
    standings = {}
    for key, actor in actors.items():
        role, status, invited = found.get(key, (None, None, False))
        moderates = actor.is_staff or key in moderators
        standings[key] = Standing(role=role, status=status, moderates=moderates, invited=invited)
    return standings


def require_view(*, actor: Actor, session: StreamSession) -> Standing:
    """Require the right to watch. Raises Missing for non-members of a private session, Denied for removed and banned
    people."""
    standing = standing_of(actor=actor, session_id=session.pk)
    require_view_as(standing=standing, actor=actor, session=session)
    return standing


def require_view_as(*, standing: Standing, actor: Actor, session: StreamSession) -> None:
    """Require the right to watch, for a standing that is already loaded."""
    if standing.is_banned and not actor.is_staff:
        raise Denied("session.banned", "You were banned from this show.")
    if standing.is_kicked and not actor.is_staff:
        raise Denied("session.kicked", "You were removed from this show. Ask the host to let you back in.")
    if session.visibility == Visibility.PRIVATE and not standing.is_member:
        raise Missing("session.missing", "Show not found.")


def can_ask_stage(*, standing: Standing, session: StreamSession) -> bool:
    """Return whether a viewer may ask to come on stage now."""
    return session.state in LIVE and takes_guests(session) and not standing.can_publish


def takes_guests(session: StreamSession) -> bool:
    """Return whether the host allows guests and the show's provider supports several publishers."""
    wanted: bool = session.settings.allow_guests and session.settings.max_guests > 0
    return wanted and provider_can(session.provider, Capability.STAGE)


def require_host(*, actor: Actor, session: StreamSession) -> None:
    """Require the host or the system."""
    if actor.is_system:
        return
    if actor.user_id is None:
        raise NotAuthenticated()
    if actor.user_id != session.host_id:
        require_view(actor=actor, session=session)
        raise Denied("session.not_host", "Only the host can do that.")


def require_end(*, actor: Actor, session: StreamSession) -> None:
    """Require the host, staff or the system."""
    if not actor.is_staff:
        require_host(actor=actor, session=session)


def require_moderate(*, actor: Actor, session: StreamSession) -> Standing:
    """Require the right to moderate."""
    if actor.user_id is None and not actor.is_system:
        raise NotAuthenticated()
    standing = require_view(actor=actor, session=session)
    if not (standing.can_moderate or actor.is_system):
        raise Denied("session.not_moderator", "Only the host and moderators can do that.")
    return standing
