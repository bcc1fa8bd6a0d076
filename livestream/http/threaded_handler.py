"""Requests in threads that stay: one visit for all of a request, and never more visits at once than there are threads.

Django's own ASGI handler goes back and forth between the event loop and a thread for each middleware (a dozen times for
a request of the API), makes a new thread for each request, and with it a new connection to the database. Here the
whole chain runs as it does under WSGI. Views that are coroutines stay on the event loop: they wait, and a thread that
waits for them would be a thread less for everybody (`livestream.http.async_application`).
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
    """Django as an ASGI application that does everything about a request in one visit to a thread."""

    def load_middleware(self, is_async: bool = False) -> None:
        """The chain as it is under WSGI."""
        super().load_middleware(is_async=False)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request. A caller who goes away while all threads are busy is not served any more."""
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
            response.close()  # its content is whole; this ends the request for the database, in the thread that used it
        return response


async def unless_left(visit: "Future[R] | asyncio.Future[R]", receive: Any) -> R | None:
    """What a visit to a thread, or a task, came to; None when the caller went away and it could be cancelled."""
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
    visit.cancel()  # does nothing to a thread that has begun
