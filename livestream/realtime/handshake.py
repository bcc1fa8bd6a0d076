"""Rejection of a WebSocket handshake with an HTTP response, where the server supports it."""

import json
from typing import Any

from livestream.errors import DomainError


async def refuse_handshake(scope: Any, send: Any, error: DomainError) -> bool:
    """Reject the handshake with an error's status and document. Return False if the server cannot; then nothing was
    sent."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        return False
    body = json.dumps({"error": error.as_dict()}).encode()
    headers = [(b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff")]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(max(1, round(error.retry_after))).encode()))
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
    return True
