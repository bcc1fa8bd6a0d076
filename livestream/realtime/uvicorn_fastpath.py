"""Past the ASGI call: one frame, built once, written straight to the transports of a server that is recognised.

Only uvicorn's sans-IO WebSocket protocol is. It writes whole frames at once and in order, so another whole frame may
stand between two of its own; what its transport still holds goes out first. Every other server, and every socket that
is not plainly open and writable, takes the ASGI path.
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
    """An unmasked, unfragmented text frame (RFC 6455 section 5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 65536:
        return b"\x81\x7e" + struct.pack("!H", length) + payload
    return b"\x81\x7f" + struct.pack("!Q", length) + payload


def recognised(send: Callable[..., Any]) -> Any:
    """The server's protocol object behind an ASGI `send`; None when it is not known to the last attribute."""
    if WebSocketsSansIOProtocol is None or not settings.REALTIME_FAST_PATH:
        return None
    protocol = getattr(send, "__self__", None)
    if not isinstance(protocol, WebSocketsSansIOProtocol):
        return None
    return protocol if all(hasattr(protocol, name) for name in NEEDED) else None


def abort_connection(send: Callable[..., Any]) -> None:
    """End a connection without waiting for what it has not taken; with a server that hides it, nothing happens."""
    abort = getattr(getattr(getattr(send, "__self__", None), "transport", None), "abort", None)
    if abort is not None:
        abort()


def forget_handshake(scope: Any, send: Callable[..., Any]) -> None:
    """Let go of the headers of an accepted socket, which the server keeps in three forms for as long as it is open.

    They are a sixth of what a silent socket weighs, more with a browser's cookies. Nothing reads them any more.
    """
    protocol = recognised(send)
    if protocol is not None and protocol.handshake_complete:
        protocol.request = protocol.response = None
        protocol.scope.clear()
        scope.clear()  # a copy of that, with what we know of the person


def write_frame(protocol: Any, frame: bytes) -> bool:
    """Write one or more whole frames to an open, writable socket; False when the ASGI path has to decide."""
    if protocol.close_sent or protocol.disconnected or not protocol.writable.is_set():
        return False
    if protocol.conn.state is not State.OPEN or protocol.transport.is_closing():
        return False
    protocol.transport.write(frame)
    return True
