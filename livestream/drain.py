"""A graceful end: sockets are told to come back elsewhere before the server closes them its own way (1012)."""

import asyncio
import signal
import threading
from types import FrameType

from livestream.realtime import runtime
from livestream.realtime.protocol import CloseCode

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
        loop.call_soon_threadsafe(_drain)
        loop.call_soon_threadsafe(loop.call_later, LEAD_SECONDS, server_handler, received, frame)

    signal.signal(number, handler)


def _drain() -> None:
    running = runtime.current()
    running.draining = True
    running.hub.close_all(CloseCode.RESTARTING, "restarting")
