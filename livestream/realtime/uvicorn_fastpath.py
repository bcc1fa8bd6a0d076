"""Direct writes without an ASGI call: one frame, built once, written straight to the transports of a known server.

Only uvicorn's sans-IO WebSocket protocol qualifies. It writes whole frames at once and in order, so another whole frame
may come between two of its own, after data buffered in its transport. Every other server, and every socket that is not
plainly open and writable, takes the ASGI path.
"""

import struct
from collections.abc import Callable
from typing import Any

from django.conf import settings

try:
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
    from websockets.protocol import State
except ImportError:  # another server runs the product
    WebSocketsSansIOProtocol = None  # type: ignore[assignment,misc]
    State = None  # type: ignore[assignment,misc]

NEEDED = (
    "transport",
    "writable",
    "handshake_complete",
    "close_sent",
    "disconnected",
    "conn",
    "request",
    "response",
    "scope",
)


def text_frame(payload: bytes) -> bytes:
    """Return an unmasked, unfragmented text frame (RFC 6455 section 5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 65536:
        return b"\x81\x7e" + struct.pack("!H", length) + payload
    return b"\x81\x7f" + struct.pack("!Q", length) + payload


def recognised(send: Callable[..., Any]) -> Any:
    """Return the server's protocol object behind an ASGI `send`, or None unless it has all needed attributes."""
    if WebSocketsSansIOProtocol is None or not settings.REALTIME_FAST_PATH:
        return None
    protocol = getattr(send, "__self__", None)
    if not isinstance(protocol, WebSocketsSansIOProtocol):
        return None
    return protocol if all(hasattr(protocol, name) for name in NEEDED) else None


def abort_connection(send: Callable[..., Any]) -> None:
    """Abort a connection without waiting for unsent data. Does nothing with a server that hides the transport."""
    abort = getattr(getattr(getattr(send, "__self__", None), "transport", None), "abort", None)
    if abort is not None:
        abort()


def forget_handshake(scope: Any, send: Callable[..., Any]) -> None:
    """Drop the headers of an accepted socket, which the server keeps in three forms while it is open.

    They are a sixth of a silent socket's memory, more with a browser's cookies, and no longer read.
    """
    protocol = recognised(send)
    if protocol is not None and protocol.handshake_complete:
        protocol.request = protocol.response = None
        protocol.scope.clear()
        scope.clear()  # a copy of the former, with data about the person


def write_frame(protocol: Any, frame: bytes) -> bool:
    """Write one or more whole frames to an open, writable socket. Return False if the ASGI path must be used."""
    if protocol.close_sent or protocol.disconnected or not protocol.writable.is_set():
        return False
    if protocol.conn.state is not State.OPEN or protocol.transport.is_closing():
        return False
    protocol.transport.write(frame)
    return True
