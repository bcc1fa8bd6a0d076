"""Tickets for room sockets: a browser on another origin, or an app, exchanges its log-in for one and puts it in the
socket's address.

Addresses end up in logs, so a ticket is void after its first use or half a minute. It is stored by its hash in the
cache shared by all processes, with all data about the person that the socket needs, so that opening a socket makes no
database query.
"""

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

from livestream.actors import Actor, require_signed_in
from livestream.errors import Unavailable
from livestream.identifiers import secret_token

logger = logging.getLogger(__name__)

TICKET_FORM = re.compile(r"\A[A-Za-z0-9_-]{22,64}\Z")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as issued to the person."""

    ticket: str
    expires_at: datetime


def ticket_issue(*, actor: Actor, session_id: UUID, now: datetime) -> Ticket:
    """Issue a ticket for one room's socket, valid once. Raises NotAuthenticated, Unavailable."""
    user_id = require_signed_in(actor)
    ticket = secret_token()
    stored = {
        "session": session_id.hex,
        "user": user_id.hex,
        "username": actor.username,
        "display_name": actor.display_name,
        "is_staff": actor.is_staff,
        "issued_at": now.timestamp(),
    }
    try:
        cache.set(_name(ticket), stored, timeout=settings.SOCKET_TICKET_SECONDS)
    except (RedisError, OSError):
        raise Unavailable() from None
    return Ticket(ticket=ticket, expires_at=now + timedelta(seconds=settings.SOCKET_TICKET_SECONDS))


def tickets_take(asked: Sequence[tuple[str, UUID]]) -> list[Actor | None]:
    """Redeem tickets, each for a room, and return their actors: two reads of the cache, and a delete for each.

    None for a ticket that is unknown, used, expired, revoked or for another room; it is then deleted too. Of several
    simultaneous uses one gets the actor: the atomic delete decides.
    """
    names = {ticket: _name(ticket) for ticket, _ in asked if TICKET_FORM.match(ticket)}
    try:
        found: dict[str, dict[str, Any]] = cache.get_many(list(names.values()))
        mine = [_deleted(found, names.get(ticket, "")) for ticket, _ in asked]
        holders = {_withdrawal_name(UUID(hex=stored["user"])) for stored in mine if stored}
        withdrawals: dict[str, float] = cache.get_many(holders) if holders else {}
    except (RedisError, OSError):
        return [None] * len(asked)
    return [
        _holder(stored, session_id, withdrawals) if stored else None
        for stored, (_, session_id) in zip(mine, asked, strict=True)
    ]


def _deleted(found: dict[str, dict[str, Any]], name: str) -> dict[str, Any] | None:
    """Return the ticket's data if this call deleted it."""
    stored = found.get(name)
    return stored if stored is not None and cache.delete(name) else None


def _holder(stored: dict[str, Any], session_id: UUID, withdrawals: dict[str, float]) -> Actor | None:
    withdrawn_at = withdrawals.get(_withdrawal_name(UUID(hex=stored["user"])), 0.0)
    if stored["issued_at"] <= withdrawn_at or stored["session"] != session_id.hex:
        return None
    return Actor(
        user_id=UUID(hex=stored["user"]),
        username=stored["username"],
        display_name=stored["display_name"],
        is_staff=stored["is_staff"],
    )


def tickets_withdraw(*, user_id: UUID, now: datetime) -> None:
    """Void all tickets of this person, because the password, the roles or the account changed.

    While the cache is unavailable tickets cannot be used either, so that does not prevent the change.
    """
    # Kept until all earlier tickets have expired, allowing for clock differences between servers.
    seconds = settings.SOCKET_TICKET_SECONDS * 2
    try:
        cache.set(_withdrawal_name(user_id), now.timestamp(), timeout=seconds)
    except (RedisError, OSError) as error:
        logger.warning("tickets not withdrawn user=%s error=%r", user_id, error)


def _withdrawal_name(user_id: UUID) -> str:
    return f"tickets-withdrawn:{user_id.hex}"


def _name(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"
