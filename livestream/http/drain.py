"""A graceful end: the process stops listening, and its sockets are told to come back elsewhere, one after the other,
before the server closes what is left its own way (1012)."""

import asyncio
import signal
import threading
from types import FrameType
from typing import Any

from livestream.realtime import runtime

LEAD_SECONDS = 0.5


def drain_on_signals() -> None:
    """Put the drain before the server's own handlers of SIGTERM and SIGINT; a second signal goes straight through."""
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
    # The handler is a method of uvicorn's server. Whoever comes back meanwhile must not find this process again.
    for listener in getattr(getattr(server_handler, "__self__", None), "servers", ()):
        listener.close()
    running = runtime.current()
    running.loop.call_later(running.drain() + LEAD_SECONDS, server_handler, received, frame)
