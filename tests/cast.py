"""The people of the tests, and their shows, created straight in the test database.

Ada publishes, Ben and Cleo watch, Mo moderates, Eve must never get access.
"""

import itertools
from typing import Any

from django.test import Client

from accounts.models import User
from livestream.actors import SYSTEM, Actor, actor_of
from streams.models import Participant, ParticipantStatus, Role, StreamSession
from streams.services.people.viewers import viewer_join
from streams.services.show.sessions import session_create, session_end, session_fail, session_pause, session_start
from streams.state import SessionState

_numbers = itertools.count(1)


def make_user(name: str = "", **fields: Any) -> User:
    """Return a new account without a usable password."""
    username = name or f"person-{next(_numbers)}"
    return User.objects.create(**{"username": username, "display_name": username.capitalize(), **fields})


def make_show(host: User, *, state: str = SessionState.ACTIVE, title: str = "A show", **fields: Any) -> StreamSession:
    """Return a session of the host in a state, brought there by the services."""
    actor = actor_of(host)
    session = session_create(actor=actor, title=title, **fields)
    match SessionState(state):
        case SessionState.ACTIVE:
            session = session_start(session_id=session.pk, actor=actor)
        case SessionState.PAUSED:
            session_start(session_id=session.pk, actor=actor)
            session = session_pause(session_id=session.pk, actor=actor)
        case SessionState.ENDED:
            session_start(session_id=session.pk, actor=actor)
            session = session_end(session_id=session.pk, actor=actor)
        case SessionState.ERROR:
            session_start(session_id=session.pk, actor=actor)
            session = session_fail(session_id=session.pk, actor=SYSTEM)
    return session


def let_in(
    session: StreamSession, user: User, *, role: str = Role.VIEWER, status: str = ParticipantStatus.ACTIVE
) -> Actor:
    """Make a person a participant with a role and status; return their actor."""
    viewer_join(session_id=session.pk, actor=actor_of(user)) if session.visibility != "private" else None
    Participant.objects.update_or_create(
        session=session,
        user=user,
        defaults={
            "role": role,
            "status": status,
            "joined_at": session.created_at,
            "invited": session.visibility == "private",
        },
    )
    return actor_of(user)


def session_key_of(user: Any) -> str:
    """Return the key of a new session of a person's browser."""
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value
