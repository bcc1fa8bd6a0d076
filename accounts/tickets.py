"""Tickets for room sockets: a browser on another origin, or an app, trades its sign-in for one and puts it in the
socket's address. An address ends up in logs, so a ticket is worth nothing after its first use or half a minute.

Kept in the cache that all processes share, under its hash; what is stored is all that the socket needs to know of the
person, so that opening a socket asks the database nothing.
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
    """What the person gets."""

    ticket: str
    expires_at: datetime


def ticket_issue(*, actor: Actor, session_id: UUID, now: datetime) -> Ticket:
    """A ticket that lets this person into one room's socket, once. Raises NotAuthenticated, Unavailable."""
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
    """Whose tickets these are, each shown for a room: two reads of the cache, and a delete for each.

    None for one that is unknown, used, too old, withdrawn or for another room; it is then gone too. Of several takers
    at the same moment one gets the actor: deleting decides, in one step, who was first.
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
    """What a ticket stands for, for the one whose delete finds it."""
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
    """Make every ticket that this person holds worthless: the password, the roles or the account have changed.

    With the cache away nobody can use a ticket either, so that is no reason to refuse the change.
    """
    # Kept until every ticket of the time before has expired, clocks of several servers included.
    seconds = settings.SOCKET_TICKET_SECONDS * 2
    try:
        cache.set(_withdrawal_name(user_id), now.timestamp(), timeout=seconds)
    except (RedisError, OSError) as error:
        logger.warning("tickets not withdrawn user=%s error=%r", user_id, error)


def _withdrawal_name(user_id: UUID) -> str:
    return f"tickets-withdrawn:{user_id.hex}"


def _name(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"
