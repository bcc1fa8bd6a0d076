"""Tickets for a whole crowd at once: the benchmark's servers issue them at /bench/tickets, which the product does
not have."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.tickets import ticket_issue
from livestream.actors import Actor

PATH = "/bench/tickets"
SECONDS = 600


async def hand_out(scope: Any, receive: Any, send: Any, *, person: Callable[[int], Actor]) -> None:
    """Answer a POST of numbers, divided by commas, to `?room=<uuid>` with a ticket for each of those people."""
    body, more = b"", True
    while more:
        event = await receive()
        body, more = body + event.get("body", b""), event.get("more_body", False)
    room, now = UUID(parse_qs(scope["query_string"].decode())["room"][0]), timezone.now()
    settings.SOCKET_TICKET_SECONDS = SECONDS  # thousands may be queued
    people = [person(int(number)) for number in body.decode().split(",")]
    tickets = [ticket_issue(actor=actor, session_id=room, now=now).ticket for actor in people]
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(tickets).encode()})
