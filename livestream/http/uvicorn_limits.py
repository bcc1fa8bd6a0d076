"""Limits on data that a connection to uvicorn may send before the application sees it.

uvicorn itself bounds neither the head of a request, nor the trailers of a chunked body, nor the number of pipelined
requests, nor the frames of a socket that are not messages. A proxy in front limits some of that; a process without one
does it here. `limit_connections` replaces uvicorn's classes with the ones below while the application starts, before
the first connection is accepted, so the limits apply however uvicorn was started.
"""

import asyncio
import logging
import signal
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import State

from livestream.ratelimit import TokenBucket

HEAD_SECONDS = 8.0
SWEEP_SECONDS = 1.0
HEAD_BYTES = 64 * 1024
HEAD_LINES = 100
REQUESTS_WAITING = 16

MESSAGE_BYTES = 2 * 1024 * 1024
MESSAGES_AT_ONCE, MESSAGES_PER_SECOND = 50.0, 20.0
CONTROLS_AT_ONCE, CONTROLS_PER_SECOND = 100, 20.0
FRAGMENTS = 64
# A slice holds at most 85 frames. An ordinary client sends less at once.
SLICE_BYTES = 512
FLOODING = 4429
LAST_WORDS_SECONDS = 1.0

logger = logging.getLogger(__name__)


class LimitedHttpConnection(HttpToolsProtocol):
    """HTTP requests of one connection: 64 KiB and 100 lines for head and trailers of each, and at most 16 pipelined."""

    _head_bytes = _head_lines = _unparsed_bytes = 0
    _refused = False

    def data_received(self, data: bytes) -> None:
        """Parse received data. An endless line is rejected like a head that is too long."""
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._unparsed_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refused = True
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Reset the counters."""
        self._head_bytes = self._head_lines = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count a part of the address."""
        self._count(len(url), 0)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a line of the head or of the trailers."""
        self._count(len(name) + len(value), 1)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start a request, or queue it behind earlier ones."""
        self._unparsed_bytes = 0
        if len(self.pipeline) >= REQUESTS_WAITING:
            raise ValueError("too many requests waiting")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Process a part of the body."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._unparsed_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Reject an invalid request, or one that is too long, and close the connection."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if not self._refused and not is_answering:
            super().send_400_response(msg)
            return
        if self._refused and not (is_answering and self.cycle.response_started) and not self.pipeline:
            head = b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
            self.transport.write(head + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _count(self, size: int, lines: int) -> None:
        self._unparsed_bytes = 0
        self._head_bytes += size
        self._head_lines += lines
        if self._head_bytes > HEAD_BYTES or self._head_lines > HEAD_LINES:
            self._refused = True
            raise ValueError("head too long")  # stops the parser, which calls `send_400_response`


class LimitedSocketConnection(WebSocketsSansIOProtocol):
    """Frames of one socket. Messages over the limit wait unread. A flood of other frames closes the socket with 4429.

    Data from one read is processed slice by slice, so that at most one slice is parsed before it is counted.
    """

    _messages_left = MESSAGES_AT_ONCE
    _counted_at = 0.0
    _waiting = b""
    _controls: TokenBucket | None = None
    _flooded = False

    def data_received(self, data: bytes) -> None:
        """Process received data, or queue it behind waiting data."""
        if self._flooded:
            return
        if self._waiting:
            self._waiting += data
            self.transport.pause_reading()
        elif len(data) <= SLICE_BYTES and self._messages_left > 0:
            super().data_received(data)
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        for start in range(0, len(data), SLICE_BYTES):
            if self._flooded or self.transport.is_closing():
                return
            self._refill()
            if self._messages_left <= 0:
                self._waiting = data[start:]
                self.transport.pause_reading()
                self.loop.call_later((1.0 - self._messages_left) / MESSAGES_PER_SECOND, self._go_on)
                return
            super().data_received(data[start : start + SLICE_BYTES])

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, b""
        if self._flooded or self.transport.is_closing():
            return
        if not self.read_paused:
            self.transport.resume_reading()
        self._take(waiting)

    def _refill(self) -> None:
        now = self.loop.time()
        earned = (now - self._counted_at) * MESSAGES_PER_SECOND
        self._messages_left = min(MESSAGES_AT_ONCE, self._messages_left + earned)
        self._counted_at = now

    def handle_text(self, event: Frame) -> None:
        """Count the start of a message."""
        self._refill()
        self._messages_left -= 1
        if not self._flooded:
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Count a binary frame, which no client needs to send."""
        if self._is_allowed():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Count a fragment."""
        if len(self.frames) >= FRAGMENTS:
            self._flood()
        elif self._is_allowed():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping, unless the earlier answers were not read."""
        if not self._is_allowed():
            return
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # drops the answer

    def handle_pong(self, event: Frame) -> None:
        """Process the answer to the server's own ping; count any other."""
        if event.data == self.pending_ping_payload or self._is_allowed():
            super().handle_pong(event)

    def _is_allowed(self) -> bool:
        if self._flooded:
            return False
        if self._controls is None:
            self._controls = TokenBucket(burst=CONTROLS_AT_ONCE, per_second=CONTROLS_PER_SECOND)
        if self._controls.take():
            return True
        self._flood()
        return False

    def _flood(self) -> None:
        """Close, stop reading, and disconnect after the peer has had time to read the code."""
        self._flooded = True
        self._waiting = b""
        self.frames = []
        self.stop_keepalive()
        self.read_paused = False  # otherwise the application's next receive would resume reading
        self.transport.pause_reading()
        if not self.close_sent and self.conn.state is State.OPEN:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": FLOODING, "reason": "flooding"})
            self.conn.data_to_send()  # answers to the flood itself
            self.conn.send_close(FLOODING, "flooding")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(LAST_WORDS_SECONDS, self.transport.abort)


def uvicorn_server() -> Any:
    """Return the uvicorn server that runs this process, found by its handler of SIGTERM. None under another server."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if hasattr(getattr(server, "server_state", None), "connections") else None


def limit_connections() -> asyncio.Task[None] | None:
    """Apply the limits to this process's uvicorn server, from its lifespan. The returned task closes connections
    with incomplete requests."""
    server = uvicorn_server()
    if server is None:
        return None
    config = server.config
    if config.http_protocol_class is HttpToolsProtocol:
        config.http_protocol_class = LimitedHttpConnection
    if config.ws_protocol_class is WebSocketsSansIOProtocol:
        config.ws_protocol_class = LimitedSocketConnection
    if (config.http_protocol_class, config.ws_protocol_class) != (LimitedHttpConnection, LimitedSocketConnection):
        logger.warning("connections have no limits of their own: uvicorn was started with other --http or --ws")
    # Compressed messages can be decompression bombs. No message of a client is as large as the limit below.
    config.ws_per_message_deflate = False
    config.ws_max_size = min(config.ws_max_size, MESSAGE_BYTES)
    return asyncio.create_task(close_half_requests(server))


async def close_half_requests(server: Any) -> None:
    """Until cancelled, close connections of a uvicorn server whose request head takes too long."""
    loop = asyncio.get_running_loop()
    since: dict[Any, float] = {}
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = loop.time()
        since = {one: since.get(one, now) for one in server.server_state.connections if _awaits_head(one)}
        for connection, began in since.items():
            if now - began >= HEAD_SECONDS:
                connection.transport.abort()


def _awaits_head(connection: Any) -> bool:
    """Return whether an HTTP connection has neither a request nor, after a response, uvicorn's own keep-alive
    timeout."""
    try:
        cycle, limit = connection.cycle, connection.timeout_keep_alive_task
    except AttributeError:  # a WebSocket
        return False
    return cycle is None or (cycle.response_complete and limit is None)
