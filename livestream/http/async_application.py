"""An ASGI application for coroutine views: requests are processed entirely on the event loop.

Django's own handler moves each middleware hook to a thread and back, a dozen times for a response that takes a
millisecond. The hooks used here read headers and never block, so they are called directly. Views query the database
through a lane (`livestream.database`) or a `Batcher`.
"""

import asyncio
import io
from collections.abc import Sequence
from typing import Any

from csp.middleware import CSPMiddleware
from django.core import signals
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.exception import response_for_exception
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.security import SecurityMiddleware
from django.urls import Resolver404, ResolverMatch, URLPattern, resolve, set_script_prefix
from django.utils.log import log_response

from livestream.http.headers import PermissionsPolicyMiddleware
from livestream.http.threaded_handler import unless_left

# In their order in settings.MIDDLEWARE. The others are for pages: coroutine views are none, and authenticate callers
# themselves (`accounts.async_authentication`).
MIDDLEWARE = (
    SecurityMiddleware,
    CSPMiddleware,
    CommonMiddleware,
    XFrameOptionsMiddleware,
    PermissionsPolicyMiddleware,
)
# Views reject longer bodies. Just enough is kept for them to notice.
BODY_KEPT_BYTES = 256 * 1024 + 1


class AsyncApplication:
    """Serves routes whose views are coroutines that return complete bodies."""

    def __init__(self, routes: Sequence[URLPattern]) -> None:
        self._routes: Any = tuple(routes)
        self._middleware: list[Any] = [kind(_no_response) for kind in MIDDLEWARE]

    def match(self, scope: Any) -> ResolverMatch | None:
        """Return the route of a request, or None if another application serves it."""
        try:
            return resolve(scope["path"].removeprefix(scope.get("root_path", "")), self._routes)
        except Resolver404:
            return None

    async def __call__(self, match: ResolverMatch, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request. Its view is cancelled when the client disconnects."""
        body = await _read(receive)
        if body is not None:
            await unless_left(asyncio.create_task(self._serve(match, scope, body, send)), receive)

    async def _serve(self, match: ResolverMatch, scope: Any, body: io.BytesIO, send: Any) -> None:
        signals.request_started.send(sender=type(self), scope=scope)
        set_script_prefix(f"{scope.get('root_path', '').rstrip('/')}/")
        try:
            request = ASGIRequest(scope, body)
        except UnicodeDecodeError:
            response: HttpResponse = HttpResponseBadRequest()
        else:
            request.resolver_match = match
            response = await self._respond(request, match)
            if response.status_code >= 400:
                log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
        try:
            await _send(response, send)
        finally:
            response.close()  # sends request_finished

    async def _respond(self, request: ASGIRequest, match: ResolverMatch) -> HttpResponse:
        entered: list[Any] = []
        try:
            response = None
            for middleware in self._middleware:
                if hasattr(middleware, "process_request"):
                    response = middleware.process_request(request)
                entered.append(middleware)
                if response is not None:
                    break
            response = response or await match.func(request, *match.args, **match.kwargs)
        except Exception as error:
            response = response_for_exception(request, error)
        for middleware in reversed(entered):
            response = middleware.process_response(request, response)
        return response


def _no_response(request: HttpRequest) -> HttpResponseBase:
    raise AssertionError("middleware is asked for its hooks alone")


async def _read(receive: Any) -> io.BytesIO | None:
    """Return the body up to the largest size that a view accepts, or None if the client has disconnected."""
    body = io.BytesIO()
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        if body.tell() < BODY_KEPT_BYTES:
            body.write(event.get("body", b""))
        more = event.get("more_body", False)
    body.seek(0)
    return body


async def _send(response: HttpResponse, send: Any) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    headers += [(b"set-cookie", morsel.OutputString().encode("latin-1")) for morsel in response.cookies.values()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
