"""Who opens a room socket: ASGI middleware around the socket routes.

Deliberately without Channels' session middleware, which would wrap `send`: a frame goes from the hub to the server's
own function. Whoever connects is signed in once, here, by the first of these that is there: a Bearer header, a ticket,
the session cookie.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.db import Error as DatabaseError
from django.http import parse_cookie
from django.utils.crypto import constant_time_compare

from accounts.bearer import MAX_LENGTH, bearer_actor, not_valid
from accounts.origins import header_values, origin_allowed
from accounts.tickets import tickets_take
from accounts.visitors import VISITOR_COOKIE, visitor_name, visitor_of
from livestream.actors import ANONYMOUS, Actor, actor_of
from livestream.errors import DomainError, NotAuthenticated, Unavailable
from livestream.realtime.gathering import Gathered
from livestream.realtime.protocol import CloseCode
from livestream.realtime.runtime import in_database

RETRY_SECONDS = 5

logger = logging.getLogger(__name__)

SESSION_KEY_FORM = re.compile(r"\A[a-z0-9]{8,64}\Z")
SESSION_ID_IN_PATH = re.compile(r"/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:/|\Z)")

Application = Callable[[Any, Any, Any], Awaitable[None]]


class SocketAuthentication:
    """Refuses foreign origins with 403 before the handshake is done; puts `actor` and `actor_error` into the scope.

    A ticket or Bearer token that is no good leaves `actor_error` set and nobody signed in: the consumer accepts and
    closes with 4401, because a browser cannot read the status of a refused handshake.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        has_origin = bool(header_values(scope, b"origin"))
        if has_origin and not origin_allowed(scope):
            await _refuse(receive, send)
            return
        # Without an Origin this is no browser page, and a cookie is not a sign-in.
        cookies = _cookies(scope) if has_origin else {}
        actor: Actor = ANONYMOUS
        error: DomainError | None
        try:
            actor, error = await _authenticate(scope, cookies)
        except DatabaseError as trouble:
            logger.warning("nobody signed in, the database does not answer error=%s", type(trouble).__name__)
            error = Unavailable(retry_after=RETRY_SECONDS)
        visitor = visitor_of(cookies.get(VISITOR_COOKIE)) or visitor_name()
        scope = dict(scope, actor=replace(actor, visitor=visitor), actor_error=error)
        del cookies, actor, visitor, error  # this waits for as long as the socket is open
        await self.application(scope, receive, send)


async def _authenticate(scope: Any, cookies: dict[str, str]) -> tuple[Actor, DomainError | None]:
    bearer = _bearer(scope)
    if bearer is not None:
        try:
            return await in_database(bearer_actor, access=bearer), None
        except NotAuthenticated as error:
            return ANONYMOUS, error
    ticket = _ticket(scope)
    if ticket is not None:
        session_id = _session_id(scope)
        actor = await _take_ticket((ticket, session_id)) if session_id else None
        return (actor, None) if actor else (ANONYMOUS, not_valid("ticket.invalid"))
    key = cookies.get(settings.SESSION_COOKIE_NAME, "")
    if SESSION_KEY_FORM.match(key):
        return await _session_actor(key), None
    return ANONYMOUS, None


def _bearer(scope: Any) -> str | None:
    """The Bearer token; "" when there is one that cannot be used; None when there is none."""
    headers = [value.partition(" ") for value in header_values(scope, b"authorization")]
    tokens = [token.strip() for kind, _, token in headers if kind.lower() == "bearer"]
    if not tokens:
        return None
    usable = len(tokens) == 1 and len(tokens[0]) <= MAX_LENGTH
    return tokens[0] if usable else ""


def _ticket(scope: Any) -> str | None:
    query = scope.get("query_string", b"").decode("latin-1")
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=20)).get("ticket")
    except ValueError:
        return None


def _session_id(scope: Any) -> UUID | None:
    found = SESSION_ID_IN_PATH.search(scope.get("path", ""))
    return UUID(found[1]) if found else None


def _cookies(scope: Any) -> dict[str, str]:
    cookies: dict[str, str] = parse_cookie("; ".join(header_values(scope, b"cookie")))
    return cookies


def _actor_of_session(session_key: str) -> Actor:
    """The person of a Django session, by Django's own rules; nobody when it is over.

    Read only: `django.contrib.auth.get_user` may give a session a new key, and a socket cannot set the cookie.
    """
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    backend_path = session.get(BACKEND_SESSION_KEY)
    if backend_path not in settings.AUTHENTICATION_BACKENDS:
        return ANONYMOUS
    user = load_backend(backend_path).get_user(session.get(SESSION_KEY))
    if user is None:
        return ANONYMOUS
    stored = session.get(HASH_SESSION_KEY) or ""
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    if not any(constant_time_compare(stored, expected) for expected in hashes):
        return ANONYMOUS
    return actor_of(user)


def _actors_of_sessions(session_keys: Sequence[str]) -> list[Actor]:
    return [_actor_of_session(key) for key in session_keys]


_take_ticket = Gathered(tickets_take)
_session_actor = Gathered(_actors_of_sessions)


async def _refuse(receive: Any, send: Any) -> None:
    """Close before accepting, which the server turns into 403. No page can read more of it than that."""
    event = await receive()
    if event["type"] == "websocket.connect":
        await send({"type": "websocket.close", "code": int(CloseCode.NOT_ALLOWED)})
