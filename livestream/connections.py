"""Connections to the database while somebody waits for something else."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.utils.asyncio import async_unsafe

P = ParamSpec("P")
R = TypeVar("R")


@async_unsafe("An event loop waits for nobody: do this in a thread, `in_request_thread` for example.")
def lay_down_connections() -> None:
    """Give this thread's pooled connections back before it waits for another thread or another server.

    A thread keeps what it has taken until its request is over, and there are fewer connections than threads: whoever
    waits with one in hand may wait for somebody who waits for one. The next query takes another. In a transaction
    nothing happens, and SQLite's connections stay: they are not scarce. On an event loop it raises
    SynchronousOnlyOperation.
    """
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite" and not connection.in_atomic_block:
            connection.close()


async def in_own_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a synchronous function that may wait long, in a thread that ends with it, as its connections do.

    For coroutine views: their handler has no threads (`AwaitedHandler`), and the sockets have too few to wait in.
    """
    async with ThreadSensitiveContext():
        return await sync_to_async(_closing)(partial(function, *args, **kwargs))


def _closing(function: Callable[[], R]) -> R:
    try:
        return function()
    finally:
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close()
