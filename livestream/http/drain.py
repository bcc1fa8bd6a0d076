"""Graceful shutdown: the process stops listening and asks its sockets, one after another, to reconnect elsewhere.
The server then closes the remaining ones its own way (1012)."""

import asyncio
import signal
import threading
from types import FrameType
from typing import Any

from livestream.realtime import runtime

LEAD_SECONDS = 0.5


def drain_on_signals() -> None:
    """Run the drain before the server's handlers of SIGTERM and SIGINT. A second signal skips it."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        _put_before(number, asyncio.get_running_loop())


def _put_before(number: signal.Signals, loop: asyncio.AbstractEventLoop) -> None:
    server_handler = signal.getsignal(number)
    if not callable(server_handler):
        return

    def handler(received: int, frame: FrameType | None) -> None:
        signal.signal(number, server_handler)
        loop.call_soon_threadsafe(_drain, server_handler, received, frame)

    signal.signal(number, handler)


def _drain(server_handler: Any, received: int, frame: FrameType | None) -> None:
    # The handler is a method of uvicorn's server. Clients that reconnect now must not reach this process again.
    for listener in getattr(getattr(server_handler, "__self__", None), "servers", ()):
        listener.close()
    running = runtime.current()
    running.loop.call_later(running.drain() + LEAD_SECONDS, server_handler, received, frame)
