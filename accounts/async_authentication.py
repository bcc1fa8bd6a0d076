"""Authentication of coroutine views and sockets, by a Bearer token or otherwise the session cookie.

Credentials are read on the event loop, and resolved in the database in one batch.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.sessions.models import Session
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework_simplejwt.tokens import Token

from accounts.bearer import BearerAuthentication, access_token_read, not_valid, require_valid, user_id_of
from accounts.models import User
from livestream.actors import ANONYMOUS, Actor, actor_of
from livestream.batching import Batcher
from livestream.identifiers import as_uuid

SESSION_KEY_FORM = re.compile(r"\A[a-z0-9]{8,64}\Z")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials in a request: an access token with a valid signature, or a session key, or neither.

    `csrf_failure` is set if the session must not be used, because the request does not pass the CSRF check.
    """

    token: Token | None = None
    session_key: str | None = None
    csrf_failure: PermissionDenied | None = None


def credentials_of(request: HttpRequest) -> Credentials:
    """Read the credentials of a request as `DEFAULT_AUTHENTICATION_CLASSES` do.

    Raises AuthenticationFailed for a malformed header, and NotAuthenticated for an invalid token.
    """
    bearer: Any = BearerAuthentication()
    header = bearer.get_header(request)
    access = bearer.get_raw_token(header) if header else None
    if access is not None:
        return Credentials(token=access_token_read(access))
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return Credentials(session_key=key, csrf_failure=_csrf_failure(request) if key else None)


def _csrf_failure(request: HttpRequest) -> PermissionDenied | None:
    request.POST = QueryDict()  # the CSRF token is in a header; the body is no form  # type: ignore[assignment]
    checked: Any = request  # in place of REST framework's request, with the same headers and cookies
    try:
        SessionAuthentication().enforce_csrf(checked)
    except PermissionDenied as failure:
        return failure
    return None


def actors_of(shown: Sequence[Credentials]) -> list[Actor | Exception]:
    """Return the actor or the error for each, in order. An expired session is anonymous."""
    sessions = _sessions({one.session_key for one in shown if one.session_key})
    signed_in = {key: as_uuid(str(session.get(SESSION_KEY, ""))) for key, session in sessions.items()}
    user_ids = [*signed_in.values(), *(user_id_of(one.token) for one in shown if one.token)]
    people = User.objects.in_bulk({one for one in user_ids if one is not None})
    actors: list[Actor | Exception] = []
    for one in shown:
        if one.token is not None:
            actors.append(_actor_of_token(one.token, people))
            continue
        user = people.get(signed_in.get(one.session_key or "") or UUID(int=0))
        actor = _actor_of_session(sessions[one.session_key or ""], user) if user else ANONYMOUS
        actors.append(one.csrf_failure if one.csrf_failure and actor.user_id else actor)
    return actors


def _sessions(keys: set[str]) -> dict[str, Mapping[str, Any]]:
    """Return the contents of valid sessions, by key.

    Read only: `django.contrib.auth.get_user` may give a session a new key, and this code could not set the cookie.
    """
    plausible = [key for key in keys if SESSION_KEY_FORM.match(key)]
    rows = Session.objects.filter(pk__in=plausible, expire_date__gt=timezone.now()) if plausible else ()
    return {row.session_key: row.get_decoded() for row in rows}


def _actor_of_token(token: Token, people: Mapping[UUID, User]) -> Actor | Exception:
    try:
        return actor_of(require_valid(people.get(user_id_of(token) or UUID(int=0)), token))
    except AuthenticationFailed:
        return not_valid()


def _actor_of_session(session: Mapping[str, Any], user: User) -> Actor:
    """Return the actor of a session, by the rules of `django.contrib.auth.get_user`."""
    path = session.get(BACKEND_SESSION_KEY)
    backend: Any = load_backend(path) if path in settings.AUTHENTICATION_BACKENDS else None
    if backend is None or not backend.user_can_authenticate(user):
        return ANONYMOUS
    stored = session.get(HASH_SESSION_KEY) or ""
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return actor_of(user) if any(constant_time_compare(stored, one) for one in hashes) else ANONYMOUS


_actor_of = Batcher(actors_of)


async def session_actor(key: str | None) -> Actor:
    """Return the actor of a Django session; anonymous if it has expired or the key is invalid."""
    return await _actor_of(Credentials(session_key=key)) if key and SESSION_KEY_FORM.match(key) else ANONYMOUS


async def bearer_actor(*, access: bytes) -> Actor:
    """Return the actor of an access token. Raises NotAuthenticated."""
    return await _actor_of(Credentials(token=access_token_read(access)))
