"""One socket of the room hub, with a backlog for a client that does not read."""

import asyncio
import logging
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from livestream.metrics import SLOW_CLOSED
from livestream.realtime.protocol import CloseCode
from livestream.realtime.uvicorn_fastpath import abort_connection, recognised, text_frame, write_frame

BACKLOG_FRAMES = 256
BACKLOG_CHARACTERS = 1_000_000
# A peer that reads at all receives the close code within this time. One that never reads would hold its socket and
# buffers.
LAST_WORDS_SECONDS = 3.0

logger = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]


@types.coroutine
def _continue(coroutine: Coroutine[Any, Any, None], yielded: Any) -> Generator[Any, Any, None]:
    """Await the rest of a coroutine that was already stepped once by hand."""
    while True:
        try:
            value = yield yielded
        except BaseException as error:
            try:
                yielded = coroutine.throw(error)
            except StopIteration:
                return
        else:
            try:
                yielded = coroutine.send(value)
            except StopIteration:
                return


class Member:
    """One socket. Frames go straight to the server's `send`; a socket that makes it wait gets a bounded backlog.

    While `held` is a list, it keeps documents: the socket has subscribed and waits for its snapshot. `dismissed` are
    groups from which it was removed, perhaps before it had joined.

    On the fast path, frames for this socket alone wait in `_leaving` until the loop has run its ready callbacks, so
    that a reply and the events it caused leave in one system call.
    """

    __slots__ = (
        "_backlog",
        "_backlog_characters",
        "_draining",
        "_leaving",
        "_protocol",
        "_send",
        "closing",
        "dismissed",
        "groups",
        "held",
        "name",
    )

    def __init__(self, *, name: str, send: Send) -> None:
        self.name = name
        self.groups: list[str] = []
        self.dismissed: frozenset[str] = frozenset()
        self.held: list[tuple[int | None, str]] | None = None
        self.closing = False
        self._send = send
        self._protocol = recognised(send)
        self._backlog: deque[dict[str, Any]] | None = None  # created for the few that need one
        self._backlog_characters = 0
        self._draining: asyncio.Task[None] | None = None
        self._leaving: list[tuple[str, bytes]] | None = None

    def write(self, text: str) -> None:
        """Send one frame, at once or as soon as the socket accepts it. Never blocks, never raises."""
        if self._protocol is None:
            self._push({"type": "websocket.send", "text": text})
            return
        if self._leaving is None:
            self._leaving = []
            asyncio.get_running_loop().call_soon(self._leave)
        self._leaving.append((text, text_frame(text.encode("utf-8"))))

    def write_ready(self, text: str, frame: bytes) -> None:
        """Send one frame that is already encoded, the fastest way that this server allows."""
        if self._leaving is not None:
            self._leaving.append((text, frame))
            self._leave()
        elif not self._write_direct(frame):
            self._push({"type": "websocket.send", "text": text})

    def _write_direct(self, frames: bytes) -> bool:
        if self._protocol is None or self._draining is not None or self.closing:
            return False
        return write_frame(self._protocol, frames)

    def _leave(self) -> None:
        leaving, self._leaving = self._leaving, None
        if leaving and not self._write_direct(b"".join([frame for _, frame in leaving])):
            for text, _ in leaving:
                self._push({"type": "websocket.send", "text": text})

    def close(self, code: int, reason: str = "") -> None:
        """Close after all earlier writes."""
        self._leave()
        if not self.closing:
            self.closing = True
            self._push({"type": "websocket.close", "code": int(code), "reason": reason}, force=True)

    def release(self, missed: list[str]) -> None:
        """After the snapshot: send the durable events that follow it, then the other documents held meanwhile."""
        held, self.held = self.held or [], None
        texts = missed + [text for seq, text in held if seq is None]
        if texts:
            self.write("\n".join(texts))

    def _push(self, event: dict[str, Any], *, force: bool = False) -> None:
        if self.closing and not force:
            return
        if self._draining is not None:
            self._wait_in_line(event, force=force)
            return
        coroutine: Any = self._send(event)
        try:
            yielded = coroutine.send(None)
        except StopIteration:
            return
        except Exception as error:  # the peer is gone; its receive loop will notice
            logger.debug("socket %s is gone: %r", self.name, error)
            self.closing = True
        else:
            self._draining = asyncio.get_running_loop().create_task(self._drain(coroutine, yielded))

    def _wait_in_line(self, event: dict[str, Any], *, force: bool) -> None:
        backlog = self._backlog = self._backlog if self._backlog is not None else deque()
        characters = self._backlog_characters + len(event.get("text", ""))
        if not force and (len(backlog) >= BACKLOG_FRAMES or characters > BACKLOG_CHARACTERS):
            self._give_up(backlog)
            return
        self._backlog_characters = characters
        backlog.append(event)

    async def _drain(self, coroutine: Coroutine[Any, Any, None], yielded: Any) -> None:
        try:
            await _continue(coroutine, yielded)
            while self._backlog:
                event = self._backlog.popleft()
                self._backlog_characters -= len(event.get("text", ""))
                await self._send(event)
        except Exception as error:  # as above
            logger.debug("socket %s is gone: %r", self.name, error)
            self.closing = True
        finally:
            self._draining = self._backlog = None

    def _give_up(self, backlog: deque[dict[str, Any]]) -> None:
        SLOW_CLOSED.inc()
        backlog.clear()
        self._backlog_characters = 0
        self.close(CloseCode.TOO_SLOW, "too slow")
        asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._hang_up)

    def _hang_up(self) -> None:
        if self._draining is not None:
            abort_connection(self._send)
