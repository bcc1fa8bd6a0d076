"""The ASGI application: HTTP, room sockets and the lifespan."""

import asyncio
import gc
import logging
import os
from contextlib import suppress
from functools import partial
from typing import Any

import django
from django.conf import settings
from django.db import Error as DatabaseError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livestream.settings")
django.setup(set_prefix=False)

# The line above loads the apps, which all code below needs.
from accounts.demo_accounts import demo_people_close  # noqa: E402
from livestream.checks import require_whole_providers  # noqa: E402
from livestream.database import in_database  # noqa: E402
from livestream.http.async_application import AsyncApplication  # noqa: E402
from livestream.http.body_limit import limited  # noqa: E402
from livestream.http.drain import drain_on_signals  # noqa: E402
from livestream.http.threaded_handler import ThreadedHandler  # noqa: E402
from livestream.http.uvicorn_limits import limit_connections  # noqa: E402
from livestream.log_filters import quiet_server_logs  # noqa: E402
from livestream.realtime import runtime  # noqa: E402
from livestream.routing import websocket_application  # noqa: E402
from livestream.urls import async_routes  # noqa: E402
from streams.gateways.media_entrance import close_clients  # noqa: E402

require_whole_providers()
logger = logging.getLogger(__name__)
async_application, threaded_application = AsyncApplication(async_routes), ThreadedHandler()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Route a connection by its type."""
    match scope["type"]:
        case "http":
            route = async_application.match(scope)
            http_application = partial(async_application, route) if route else threaded_application
            await limited(http_application, scope, receive, send)
        case "websocket":
            await websocket_application(scope, receive, send)
        case "lifespan":
            await _lifespan(receive, send)


async def _lock_demo_people_out() -> None:
    """Disable the demo accounts outside the demo mode: their password is public."""
    if settings.DEMO:
        return
    with suppress(DatabaseError):  # not migrated yet, or unavailable; the log-in rejects these accounts as well
        closed = await in_database(demo_people_close)
        if closed:
            logger.warning("demo people locked out count=%d", closed)


async def _lifespan(receive: Any, send: Any) -> None:
    """Start the realtime runtime with the server, and drain it before the server stops."""
    sweeper: asyncio.Task[None] | None = None
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            runtime.current()
            await _lock_demo_people_out()
            sweeper = limit_connections()
            drain_on_signals()
            quiet_server_logs()
            gc.freeze()  # objects loaded now stay, so the collector need not traverse them
            await send({"type": "lifespan.startup.complete"})
        elif event["type"] == "lifespan.shutdown":
            if sweeper is not None:
                sweeper.cancel()
            await runtime.stop()
            await close_clients()
            await send({"type": "lifespan.shutdown.complete"})
            return
