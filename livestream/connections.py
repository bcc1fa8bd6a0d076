"""Connections to the database while somebody waits for something else."""

from django.db import connections


def lay_down_connections() -> None:
    """Give this thread's pooled connections back before it waits for another thread or another server.

    A thread keeps what it has taken until its request is over, and there are fewer connections than threads: whoever
    waits with one in hand may wait for somebody who waits for one. The next query takes another. In a transaction
    nothing happens, and SQLite's connections stay: they are not scarce.
    """
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite" and not connection.in_atomic_block:
            connection.close()
