"""No request body over the limit is taken in: Django would store all of it before the first view could refuse."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from livestream.errors import BodyTooBig

Application = Callable[[Any, Any, Any], Awaitable[None]]


class _TooBig(Exception):
    pass


async def limited(application: Application, scope: Any, receive: Any, send: Any) -> None:
    """Serve an HTTP request; answer 413 as soon as its body says that it is, or turns out to be, over the limit."""
    limit: int = settings.REQUEST_MAX_BODY_BYTES
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    taken = 0
    answered = False

    async def counted() -> Any:
        nonlocal taken
        event = await receive()
        taken += len(event.get("body", b""))
        if taken > limit:
            raise _TooBig
        return event

    async def noted(event: Any) -> None:
        nonlocal answered
        answered = True
        await send(event)

    if announced.isdigit() and int(announced[:18]) > limit:
        await _refuse(send)
        return
    try:
        await application(scope, counted, noted)
    except _TooBig:
        if not answered:
            await _refuse(send)


async def _refuse(send: Any) -> None:
    body = json.dumps({"error": BodyTooBig().as_dict()}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
