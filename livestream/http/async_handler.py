"""Requests on the event loop, for views that are coroutines: without the changes between loop and threads of Django's
own handler.

Django takes each hook of a middleware that is not a coroutine to a thread and back: a dozen changes for an answer that
takes a millisecond to make. The hooks of the middleware that is installed here look at headers and wait for nobody, so
they run where they are called. The signals before and after a request are not sent: who receives them looks after the
thread's connections to the database, and the event loop has none.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix, set_urlconf
from django.utils.deprecation import MiddlewareMixin
from django.utils.log import log_response
from django.utils.module_loading import import_string

from livestream.http.threaded_handler import unless_left

Handler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

HOOKS_ALONE = (MiddlewareMixin.__call__, MiddlewareMixin.__acall__)
# Nothing that is installed here has them.
FURTHER_HOOKS = ("process_view", "process_exception", "process_template_response")


class AwaitedHandler(ASGIHandler):
    """Django as an ASGI application that does everything about a request on the event loop.

    Its views ask the database through `in_database`, or gathered, and what waits for anybody else goes to a thread of
    its own choice.
    """

    def load_middleware(self, is_async: bool = True) -> None:
        """The chain, of coroutines that call what is none."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        handler = convert_exception_to_response(self._get_response_async)  # type: ignore[attr-defined]
        for path in reversed(settings.AWAITED_MIDDLEWARE):
            middleware = import_string(path)(handler)
            _require_understood(path, middleware)
            inner = _hooked(middleware) if _is_hooks(middleware) else middleware
            handler = convert_exception_to_response(inner)
        self._middleware_chain = handler

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request. A caller who goes away ends its view."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            set_script_prefix(get_script_prefix(scope))
            request, refusal = self.create_request(scope, body)
            if refusal is not None or request is None:
                await self.send_response(refusal or HttpResponseBadRequest(), send)
                return
            await unless_left(asyncio.create_task(self._serve(request, send)), receive)

    async def _serve(self, request: HttpRequest, send: Any) -> None:
        try:
            await self.send_response(await self.get_response_async(request), send)
        finally:
            request.close()

    async def get_response_async(self, request: HttpRequest) -> HttpResponse:
        """The answer to a request; what is refused is logged, as Django does."""
        set_urlconf(settings.ROOT_URLCONF)
        chain: Any = self._middleware_chain
        response: HttpResponse = await chain(request)
        if response.status_code >= 400:
            log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
        return response


def _is_hooks(middleware: Any) -> bool:
    """Whether it is Django's kind with hooks, and calls nothing but them."""
    kind = type(middleware)
    return isinstance(middleware, MiddlewareMixin) and (kind.__call__, kind.__acall__) == HOOKS_ALONE


def _require_understood(path: str, middleware: Any) -> None:
    is_understood = _is_hooks(middleware) or iscoroutinefunction(middleware)
    if not is_understood or any(hasattr(middleware, hook) for hook in FURTHER_HOOKS):
        raise ImproperlyConfigured(f"{path} cannot run on the event loop: see livestream/http/async_handler.py.")


def _hooked(middleware: Any) -> Handler:
    """The two hooks of Django's middleware around the rest of the chain."""
    before: Callable[..., HttpResponseBase | None] | None = getattr(middleware, "process_request", None)
    after: Callable[..., HttpResponseBase] | None = getattr(middleware, "process_response", None)

    async def handle(request: HttpRequest) -> HttpResponseBase:
        response = (before(request) if before else None) or await middleware.get_response(request)
        return after(request, response) if after else response

    return handle
