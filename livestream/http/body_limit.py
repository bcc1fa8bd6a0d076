"""Reject request bodies that are too large or too slow. Django would wait for the whole body before the first view
could reject it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from livestream.errors import BodyTooBig, BodyTooSlow, DomainError

Application = Callable[[Any, Any, Any], Awaitable[None]]

# Time allowed for a body, plus a second for each KiB received.
BODY_SECONDS = 10.0
BODY_BYTES_PER_SECOND = 1024


class _Refused(Exception):
    def __init__(self, error: DomainError) -> None:
        self.error = error


async def limited(application: Application, scope: Any, receive: Any, send: Any) -> None:
    """Serve an HTTP request. Respond 413 as soon as its body exceeds the limit or announces that it will, and 408 if
    it does not arrive in time."""
    limit: int = settings.REQUEST_MAX_BODY_BYTES
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    taken = 0
    answered = is_whole = False
    clock = asyncio.get_running_loop().time
    began = clock()

    async def counted() -> Any:
        nonlocal taken, is_whole
        if is_whole or answered:
            return await receive()
        try:
            async with asyncio.timeout_at(began + BODY_SECONDS + taken / BODY_BYTES_PER_SECOND):
                event = await receive()
        except TimeoutError:
            raise _Refused(BodyTooSlow()) from None
        taken += len(event.get("body", b""))
        is_whole = not event.get("more_body", False)
        if taken > limit:
            raise _Refused(BodyTooBig())
        return event

    async def noted(event: Any) -> None:
        nonlocal answered
        answered = True
        await send(event)

    if announced.isdigit() and int(announced[:18]) > limit:
        await _refuse(send, BodyTooBig())
        return
    try:
        await application(scope, counted, noted)
    except _Refused as refused:
        if not answered:
            await _refuse(send, refused.error)


async def _refuse(send: Any, error: DomainError) -> None:
    body = json.dumps({"error": error.as_dict()}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
