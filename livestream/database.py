"""Threads for work that uses the database, in lanes: whatever fills one lane delays none of the others."""

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
    """A fixed number of threads. `shares_connections`: most of its work waits for other servers, without a connection
    (`release_connections`), so that it needs fewer connections than it has threads."""

    def __init__(self, name: str, size: int, *, shares_connections: bool = False) -> None:
        self.name = name
        self.size = size
        self.shares_connections = shares_connections
        self.executor = ThreadPoolExecutor(size, thread_name_prefix=name)  # starts threads as they are needed

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a synchronous function that uses the database.

        Without the caller's context: what the function opens (a connection to Redis, say) stays with the thread for the
        next call, and not with every socket that ever asked.
        """
        call = partial(_clean_up_after, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.executor, call)


# Commands of sockets, and background jobs.
COMMANDS: Final = Lane("command", 8)
# Short questions that many people ask at the same moment: they wait for nothing but the database.
CROWDS: Final = Lane("crowd", 4)
# The chat writer: one thread for all rooms, the others each for a room that something else has locked.
CHAT: Final = Lane("chat", 4)
# HTTP requests (`livestream.http.threaded_handler`), and what of a coroutine view's work may wait for a provider.
REQUESTS: Final = Lane("request", 32, shares_connections=True)
# WHIP and WHEP requests that are passed on to another company's server.
GATEWAYS: Final = Lane("gateway", 40, shares_connections=True)

LANES: Final = (COMMANDS, CROWDS, CHAT, REQUESTS, GATEWAYS)

in_database = COMMANDS.run


def connections_needed() -> int:
    """How many connections a process needs so that no lane waits for another lane's: one for each thread that keeps
    its own, and one for each lane that shares."""
    return sum(1 if lane.shares_connections else lane.size for lane in LANES)


@async_unsafe("This would block the event loop: call it from a thread, with REQUESTS.run for example.")
def release_connections() -> None:
    """Return this thread's pooled connections before it waits for another thread or another server.

    There are fewer connections than threads: a thread that waits while it holds one may wait for a thread that needs
    one. The next query takes another. Does nothing in a transaction, or on SQLite, where connections are not scarce.
    Raises SynchronousOnlyOperation on an event loop.
    """
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite" and not connection.in_atomic_block:
            connection.close()


def _clean_up_after(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Like Channels' `database_sync_to_async`, but a thread keeps its SQLite connection: opening the file anew costs
    more than most calls. Connections of a pool go back to it, and one that failed is closed."""
    try:
        return function(*args, **kwargs)
    finally:
        for connection in connections.all(initialized_only=True):
            if connection.vendor != "sqlite" or connection.errors_occurred:
                connection.close_if_unusable_or_obsolete()
