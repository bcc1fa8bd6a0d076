"""Who asks, for what runs on the event loop: coroutine views of the API, and sockets. The people of a crowd are read
together."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request

from accounts.bearer import BearerAuthentication, bearer_actor, people_by_id
from accounts.models import User
from livestream.actors import ANONYMOUS, Actor, actor_of
from livestream.batching import Batcher
from livestream.identifiers import as_uuid

SESSION_KEY_FORM = re.compile(r"\A[a-z0-9]{8,64}\Z")


async def caller_of(request: Request) -> Actor:
    """Who sent a request, as `DEFAULT_AUTHENTICATION_CLASSES` have it: by a Bearer token, or else a session's cookie.

    Raises AuthenticationFailed for a malformed header, NotAuthenticated for a token that is no good, and
    PermissionDenied for a cookie that comes without the proof that our own page sent it (CSRF).
    """
    bearer = BearerAuthentication()
    header = bearer.get_header(request)
    access = bearer.get_raw_token(header) if header else None
    if access is not None:
        return await bearer_actor(access=access)
    actor = await session_actor(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    if actor.user_id is not None:
        SessionAuthentication().enforce_csrf(request)
    return actor


async def session_actor(key: str | None) -> Actor:
    """The person of a Django session; nobody when it is over, or the key is none."""
    return await _session_actor(key) if key and SESSION_KEY_FORM.match(key) else ANONYMOUS


def _actors_of_sessions(keys: Sequence[str]) -> list[Actor]:
    """The people of Django sessions, by Django's own rules; nobody for one that is over.

    Read only: `django.contrib.auth.get_user` may give a session a new key, and nobody here could set the cookie.
    """
    rows = Session.objects.filter(pk__in=set(keys), expire_date__gt=timezone.now())
    sessions = {row.session_key: row.get_decoded() for row in rows}
    ids = {key: as_uuid(str(session.get(SESSION_KEY, ""))) for key, session in sessions.items()}
    people = people_by_id({one for one in ids.values() if one is not None})
    actors = {key: _actor_of_session(sessions[key], people[one]) for key, one in ids.items() if one in people}
    return [actors.get(key, ANONYMOUS) for key in keys]


def _actor_of_session(session: Mapping[str, Any], user: User) -> Actor:
    path = session.get(BACKEND_SESSION_KEY)
    backend: Any = load_backend(path) if path in settings.AUTHENTICATION_BACKENDS else None
    if backend is None or not backend.user_can_authenticate(user):
        return ANONYMOUS
    stored = session.get(HASH_SESSION_KEY) or ""
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    if not any(constant_time_compare(stored, expected) for expected in hashes):
        return ANONYMOUS
    return actor_of(user)


_session_actor = Batcher(_actors_of_sessions)
