"""Authentication of room sockets: ASGI middleware around the socket routes.

Deliberately without Channels' session middleware, which would wrap `send`: frames go from the hub to the server's own
function. A client is authenticated once, here, by the first of these that is present: a Bearer header, a ticket, the
session cookie.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import parse_cookie

from accounts.async_authentication import bearer_actor, session_actor
from accounts.bearer import not_valid
from accounts.origins import header_values, origin_allowed
from accounts.tickets import tickets_take
from accounts.visitors import VISITOR_COOKIE, visitor_name, visitor_of
from livestream.actors import ANONYMOUS, Actor
from livestream.batching import Batcher
from livestream.errors import DomainError, NotAuthenticated, Unavailable
from livestream.realtime.protocol import CloseCode

RETRY_SECONDS = 5

logger = logging.getLogger(__name__)

SESSION_ID_IN_PATH = re.compile(r"/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:/|\Z)")

Application = Callable[[Any, Any, Any], Awaitable[None]]


class SocketAuthentication:
    """Refuses foreign origins with 403 before the handshake is done, and puts `actor` and `actor_error` into the scope.

    An invalid ticket or Bearer token sets `actor_error` and leaves the client anonymous: the consumer accepts and
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
        # Without an Origin this is not a browser page, and a cookie does not authenticate it.
        cookies = _cookies(scope) if has_origin else {}
        actor: Actor = ANONYMOUS
        error: DomainError | None
        try:
            actor, error = await _authenticate(scope, cookies)
        except DatabaseError as trouble:
            logger.warning("authentication skipped, the database does not respond error=%s", type(trouble).__name__)
            error = Unavailable(retry_after=RETRY_SECONDS)
        visitor = visitor_of(cookies.get(VISITOR_COOKIE)) or visitor_name()
        scope = dict(scope, actor=replace(actor, visitor=visitor), actor_error=error)
        del cookies, actor, visitor, error  # this coroutine waits as long as the socket is open
        await self.application(scope, receive, send)


async def _authenticate(scope: Any, cookies: dict[str, str]) -> tuple[Actor, DomainError | None]:
    bearer = _bearer(scope)
    if bearer is not None:
        try:
            return await bearer_actor(access=bearer), None
        except NotAuthenticated as error:
            return ANONYMOUS, error
    ticket = _ticket(scope)
    if ticket is not None:
        session_id = _session_id(scope)
        actor = await _take_ticket((ticket, session_id)) if session_id else None
        return (actor, None) if actor else (ANONYMOUS, not_valid("ticket.invalid"))
    return await session_actor(cookies.get(settings.SESSION_COOKIE_NAME)), None


def _bearer(scope: Any) -> bytes | None:
    """Return the Bearer token; empty if it is unusable, None if there is none."""
    headers = [value.partition(" ") for value in header_values(scope, b"authorization")]
    tokens = [token.strip() for kind, _, token in headers if kind.lower() == "bearer"]
    if not tokens:
        return None
    return tokens[0].encode("latin-1") if len(tokens) == 1 else b""


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


_take_ticket = Batcher(tickets_take)


async def _refuse(receive: Any, send: Any) -> None:
    """Close before accepting, which the server turns into 403. A page can read nothing else."""
    event = await receive()
    if event["type"] == "websocket.connect":
        await send({"type": "websocket.close", "code": int(CloseCode.NOT_ALLOWED)})
