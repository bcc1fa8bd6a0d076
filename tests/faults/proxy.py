"""A TCP proxy that can be a bad network: it passes, swallows, delays, resets, cuts and half-closes.

It lives in a thread of its own, so that a fault can outlast a test's event loop and processes can connect at any time.
Everything public may be called from any thread.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

LINGER_NOTHING = struct.pack("ii", 1, 0)
CHUNK = 65536


@dataclass(frozen=True)
class Ruling:
    """The handling of a client's chunk: the forwarded bytes, the answer in their place, the cut."""

    forward: bytes
    answer: bytes = b""
    cut: bool = False


Intercept = Callable[[bytes], Ruling]


class ProxyThread:
    """An event loop for proxies."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="proxies", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something on the loop and wait for it."""
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return done.result(10)

    def stop(self) -> None:
        """End the loop; running work is abandoned."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)


class Link:
    """One connection through the proxy. After `left` more bytes to the client it is cut; never when that is None."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.left: int | None = None

    def reset(self) -> None:
        """End both halves at once, with a reset to each side."""
        for writer in (self.client, self.server):
            raw = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
            writer.transport.abort()


class Proxy:
    """One listening port in front of one server."""

    def __init__(self, thread: ProxyThread, target: int) -> None:
        self.target = target
        self.port = 0
        self.accepted = 0
        self.delay_seconds = 0.0
        self.refusing = False
        self.intercept: Intercept | None = None
        self._thread = thread
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._thread.run(self._start())

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=2048)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        await self._open.wait()
        try:
            if self.refusing:
                raise ConnectionRefusedError
            server_reader, server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            client.transport.abort()
            return
        link = Link(client, server)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._up(reader, link))
                pumps.create_task(self._down(server_reader, link))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._links.discard(link)
            for writer in (client, server):
                writer.transport.abort() if writer.is_closing() else writer.close()

    async def _up(self, reader: asyncio.StreamReader, link: Link) -> None:
        while data := await reader.read(CHUNK):
            await self._pause()
            intercept = self.intercept
            ruling = intercept(data) if intercept is not None else Ruling(data)
            if ruling.answer:
                link.client.write(ruling.answer)
            if ruling.forward:
                link.server.write(ruling.forward)
                await link.server.drain()
            if ruling.cut:
                # The server has the bytes; the client never gets the answer.
                link.client.transport.abort()
                await asyncio.sleep(0.05)
                link.reset()
                return
        with contextlib.suppress(OSError):
            link.server.write_eof()

    async def _down(self, reader: asyncio.StreamReader, link: Link) -> None:
        while data := await reader.read(CHUNK):
            await self._pause()
            if link.left is not None and len(data) >= link.left:
                link.client.write(data[: link.left])
                with contextlib.suppress(OSError):
                    await link.client.drain()
                link.reset()
                return
            if link.left is not None:
                link.left -= len(data)
            link.client.write(data)
            await link.client.drain()
        with contextlib.suppress(OSError):
            link.client.write_eof()

    async def _pause(self) -> None:
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        await self._open.wait()

    def hole(self) -> None:
        """Block both directions; new connections hang. TCP recovers once `heal` is called."""
        self._thread.loop.call_soon_threadsafe(self._open.clear)

    def reset(self) -> None:
        """Reset every existing connection."""
        self._thread.loop.call_soon_threadsafe(self._reset_all)

    def _reset_all(self) -> None:
        for link in list(self._links):
            link.reset()

    def cut_after(self, count: int = 100) -> None:
        """Pass this many more bytes to each client, and then cut: mostly in the middle of a frame."""
        for link in list(self._links):
            link.left = count

    def half_close(self) -> None:
        """Half-close towards every client, while their own bytes still pass."""
        self._thread.loop.call_soon_threadsafe(self._half_close_all)

    def _half_close_all(self) -> None:
        for link in list(self._links):
            with contextlib.suppress(OSError):
                link.client.write_eof()

    def refuse(self) -> None:
        """Reset existing and new connections."""
        self.refusing = True
        self.reset()

    def heal(self) -> None:
        """Pass everything again."""
        self.refusing, self.intercept, self.delay_seconds = False, None, 0.0
        self._thread.loop.call_soon_threadsafe(self._open.set)

    def links(self) -> int:
        """Return the open connections."""
        return len(self._links)

    def close(self) -> None:
        """Stop listening and end everything."""
        self.refuse()
        self.heal()
        self._thread.loop.call_soon_threadsafe(self._server.close)
