"""The node's HTTP server, with rendering of errors and a timeout for idle connections."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from media_node.errors import MediaRefused, Unknown
from media_node.http.control import ControlEndpoints
from media_node.http.whip import WhipEndpoints, cors_headers
from media_node.wire.udp import PortInUse

if TYPE_CHECKING:
    from media_node.rooms.engine import Engine

FIRST_REQUEST_SECONDS = 10.0
# Longer than the keep-alive of clients, so that the server does not close a connection while a request is being sent on
# it.
KEEPALIVE_SECONDS = 75.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpServer:
    """WHIP, WHEP and the control API on one port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._silent: dict[object, float] = {}
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self, *, host: str, port: int) -> None:
        """Start serving. Raises PortInUse."""
        app = web.Application(middlewares=[self._render], client_max_size=0)
        app.add_routes([*WhipEndpoints(self._engine).routes(), *ControlEndpoints(self._engine).routes()])
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            handle_signals=False,
            shutdown_timeout=0.5,
            logger=self._parser_log(),
        )
        await self._runner.setup()
        try:
            self._server = await asyncio.get_running_loop().create_server(self._protocol, host, port)
        except OSError as error:
            await self._runner.cleanup()
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise PortInUse(error.errno, error.strerror) from None
            raise
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop serving. Running requests get half a second."""
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def on_slow_tick(self, now: float) -> None:
        """Close connections that never sent a complete request."""
        for protocol, since in list(self._silent.items()):
            transport = getattr(protocol, "transport", None)
            if now - since > FIRST_REQUEST_SECONDS:
                del self._silent[protocol]
                if transport is not None:
                    transport.abort()

    def _protocol(self) -> asyncio.Protocol:
        server = self._runner.server if self._runner is not None else None
        if server is None or len(server.connections) >= self._engine.config.limits.http_connections:
            return _Refusal()
        protocol = server()
        self._silent[protocol] = time.monotonic()
        return protocol

    def _parser_log(self) -> logging.Logger:
        """Return a rate-limited logger for aiohttp's parser, which otherwise logs each malformed request with a
        traceback. Anyone can send malformed requests."""
        log = logging.getLogger(f"{__name__}.parser")
        for earlier in list(log.filters):
            log.removeFilter(earlier)
        log.addFilter(self._hush)
        return log

    def _hush(self, record: logging.LogRecord) -> bool:
        self._engine.stats.requests_unreadable += 1
        self._engine.quiet.warning("unreadable request", now=time.monotonic())
        return False

    @web.middleware
    async def _render(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._silent.pop(request.protocol, None)
        try:
            response = await handler(request)
        except MediaRefused as refused:
            self._engine.stats.requests_refused += 1
            response = _refused(refused)
        except web.HTTPMethodNotAllowed as error:
            body = MediaRefused("This address does not take that method.").body()
            response = web.json_response(body, status=405, headers={"Allow": error.headers["Allow"]})
        except web.HTTPNotFound:
            response = _refused(Unknown())
        except web.HTTPException:
            response = _refused(MediaRefused())
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            self._engine.stats.errors += 1
            self._engine.quiet.failure("request handling failed", now=time.monotonic(), error=error)
            body = {"error": {"code": "internal", "message": "The server made a mistake."}}
            response = web.json_response(body, status=500)
        response.headers.update(cors_headers(request.path))
        response.headers["Cache-Control"] = "no-store"
        return response


class _Refusal(asyncio.Protocol):
    """Close connections above the limit at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _refused(refused: MediaRefused) -> web.Response:
    response = web.json_response(refused.body(), status=refused.status)
    if refused.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="media"'
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response
