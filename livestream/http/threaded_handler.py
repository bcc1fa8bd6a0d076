"""Requests in a fixed set of threads: one visit per request, and never more visits at once than threads.

Django's own ASGI handler switches between the event loop and a thread for each middleware (a dozen times for an API
request) and creates a new thread for each request, and with it a new database connection. Here the whole chain runs as
it does under WSGI. Coroutine views stay on the event loop, because a thread waiting for them would be missing for other
requests (`livestream.http.async_application`).
"""

import asyncio
from concurrent.futures import Future
from typing import Any, TypeVar

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from livestream.database import REQUESTS

R = TypeVar("R")


class ThreadedHandler(ASGIHandler):
    """Django as an ASGI application that processes each request in one visit to a thread."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the middleware chain as under WSGI."""
        super().load_middleware(is_async=False)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request. It is dropped if the client disconnects while all threads are busy."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            request, response = self.create_request(scope, body)
            if request is not None:
                visit = REQUESTS.executor.submit(self._respond, scope, request)
                response = await unless_left(visit, receive)
            if response is None:
                return
            await self.send_response(response, send)
            if response.streaming:
                await asyncio.wrap_future(REQUESTS.executor.submit(response.close))

    def _respond(self, scope: Any, request: HttpRequest) -> HttpResponseBase:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        response = self.get_response(request)
        if not response.streaming:
            response.close()  # complete; this ends the request for the database, in the thread that used it
        return response


async def unless_left(visit: "Future[R] | asyncio.Future[R]", receive: Any) -> R | None:
    """Return the result of a thread or task, or None if the client disconnected in time to cancel it."""
    leaving = asyncio.create_task(_leave(visit, receive))
    try:
        return await asyncio.wrap_future(visit)
    except asyncio.CancelledError:
        if leaving.done():
            return None
        raise
    finally:
        leaving.cancel()


async def _leave(visit: "Future[R] | asyncio.Future[R]", receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    visit.cancel()  # has no effect once the thread has begun
