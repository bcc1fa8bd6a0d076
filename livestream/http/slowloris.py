"""Connections that never finish the head of a request are closed.

uvicorn gives the first head, and every later one that has begun, all the time it takes: whoever sends a byte a minute
would hold a file descriptor for nothing. A proxy in front does this too; a process without one does it here.
"""

import asyncio
import signal
from typing import Any

HEAD_SECONDS = 8.0
SWEEP_SECONDS = 1.0


def uvicorn_server() -> Any:
    """The uvicorn server that runs this process, by its handler of SIGTERM; None under another server."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if hasattr(getattr(server, "server_state", None), "connections") else None


async def close_half_requests(server: Any) -> None:
    """Until cancelled, end connections of a uvicorn server whose request's head takes too long."""
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
    """Whether an HTTP connection has neither a request nor, after an answer, uvicorn's own limit on keeping it."""
    try:
        cycle, limit = connection.cycle, connection.timeout_keep_alive_task
    except AttributeError:  # a WebSocket
        return False
    return cycle is None or (cycle.response_complete and limit is None)
