"""Threads for database work, in lanes: a full lane does not delay the others."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from django.db import connections
from django.utils.asyncio import async_unsafe

P = ParamSpec("P")
R = TypeVar("R")


class Lane:
    """A fixed number of threads.

    With `shares_connections` most of the work waits for other servers without a connection (`release_connections`), so
    the lane needs fewer connections than threads.
    """

    def __init__(self, name: str, size: int, *, shares_connections: bool = False) -> None:
        self.name = name
        self.size = size
        self.shares_connections = shares_connections
        self.executor = ThreadPoolExecutor(size, thread_name_prefix=name)  # starts threads on demand

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a synchronous function that uses the database.

        It runs without the caller's context: objects that the function opens (a Redis connection, for example) stay
        with the thread for the next call, not with each calling socket.
        """
        call = partial(_clean_up_after, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.executor, call)


# Socket commands and background jobs.
COMMANDS: Final = Lane("command", 8)
# Short queries made by many people at the same moment. They wait only for the database.
CROWDS: Final = Lane("crowd", 4)
# The chat writer: one thread for all rooms, each of the others for a room with a locked row.
CHAT: Final = Lane("chat", 4)
# HTTP requests (`livestream.http.threaded_handler`), and parts of coroutine views that may wait for a provider.
REQUESTS: Final = Lane("request", 32, shares_connections=True)
# WHIP and WHEP requests forwarded to external servers.
GATEWAYS: Final = Lane("gateway", 40, shares_connections=True)

LANES: Final = (COMMANDS, CROWDS, CHAT, REQUESTS, GATEWAYS)

in_database = COMMANDS.run


def connections_needed() -> int:
    """Return the number of connections a process needs so that no lane waits for another's: one for each thread that
    keeps its own, and one for each lane that shares."""
    return sum(1 if lane.shares_connections else lane.size for lane in LANES)


@async_unsafe("This would block the event loop: call it from a thread, with REQUESTS.run for example.")
def release_connections() -> None:
    """Return this thread's pooled connections before it waits for another thread or server.

    There are fewer connections than threads: a waiting thread that holds one may wait for a thread that needs one. The
    next query takes another connection. Does nothing in a transaction, or on SQLite, where connections are not scarce.
    Raises SynchronousOnlyOperation on an event loop.
    """
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite" and not connection.in_atomic_block:
            connection.close()


def _clean_up_after(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a function and return its connections.

    Like Channels' `database_sync_to_async`, but a thread keeps its SQLite connection, because reopening the file costs
    more than most calls. Pooled connections go back to the pool, and failed ones are closed.
    """
    try:
        return function(*args, **kwargs)
    finally:
        for connection in connections.all(initialized_only=True):
            if connection.vendor != "sqlite" or connection.errors_occurred:
                connection.close_if_unusable_or_obsolete()
