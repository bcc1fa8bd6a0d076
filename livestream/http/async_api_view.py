"""REST framework's views as coroutines: the framework itself has none."""

import asyncio
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from livestream.rest import StrictJSONParser


class SmallJSONParser(StrictJSONParser):
    """So little that the event loop, on which it is read, does not notice."""

    max_bytes = 4096


class AwaitedAPIView(APIView):
    """A view of the API whose methods are coroutines.

    Nobody is signed in for it and nothing is refused: that asks the database, which the view does where it can wait
    (`accounts.callers`). What it calls must wait for nobody.
    """

    parser_classes = (SmallJSONParser,)
    authentication_classes = ()
    permission_classes = (AllowAny,)

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """What REST framework does around a method, with the method awaited and its answer rendered."""
        self.args, self.kwargs = args, kwargs
        self.request: Request = self.initialize_request(request, *args, **kwargs)
        self.headers = dict(self._headers())  # REST framework changes them
        try:
            self.initial(self.request, *args, **kwargs)
            response = await self._answer(*args, **kwargs)
        except Exception as error:  # REST framework raises again what has no answer
            response = self.handle_exception(error)
        rendered: Any = self.finalize_response(self.request, response, *args, **kwargs).render()
        plain = HttpResponse(rendered.content, status=rendered.status_code)
        plain.headers = rendered.headers
        return plain

    @classmethod
    @cache
    def _headers(cls) -> dict[str, str]:
        return cls().default_response_headers

    async def _answer(self, *args: Any, **kwargs: Any) -> Response:
        method = (self.request.method or "").lower()
        known = method if method in self.http_method_names else ""
        answer: Any = getattr(self, known, self.http_method_not_allowed)(self.request, *args, **kwargs)
        made: Response = await answer if asyncio.iscoroutine(answer) else answer
        return made
