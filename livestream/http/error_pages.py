"""Error responses of Django itself: a page for people, the API's JSON for programs."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from livestream.errors import Denied, Invalid, Missing, Unavailable
from livestream.rest import error_response

FOR_PROGRAMS = ("/api/", "/whip/", "/whep/", "/webhooks/", "/health", "/metrics")


def _for_program(request: HttpRequest) -> bool:
    return request.path.startswith(FOR_PROGRAMS)


def bad_request(request: HttpRequest, exception: Exception, **kwargs: Any) -> HttpResponse:
    """Return the response for status 400."""
    if _for_program(request):
        return error_response(Invalid("invalid.request", "Bad request. Check the host name."))
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception, **kwargs: Any) -> HttpResponse:
    """Return the response for status 403."""
    return error_response(Denied()) if _for_program(request) else defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception, **kwargs: Any) -> HttpResponse:
    """Return the response for status 404."""
    return error_response(Missing()) if _for_program(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Return the response for status 500."""
    if not _for_program(request):
        return defaults.server_error(request)
    broken = Unavailable("internal", "Something went wrong on our side. Please try again.")
    broken.status = 500
    return error_response(broken)
