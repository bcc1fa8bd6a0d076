"""Headers and template context that every page shares."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

CAMERA_PATHS = ("/studio/", "/live/")


def _apply(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Camera and microphone only where somebody may go on air."""
    allowed = "(self)" if request.path.startswith(CAMERA_PATHS) else "()"
    response.headers.setdefault(
        "Permissions-Policy",
        f"camera={allowed}, microphone={allowed}, display-capture={allowed}, geolocation=(), payment=(), usb=()",
    )
    return response


@sync_and_async_middleware
def permissions_policy(
    get_response: Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]],
) -> Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]:
    """Middleware: the Permissions-Policy header on every answer."""
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> HttpResponse:
            return _apply(request, await get_response(request))

        return markcoroutinefunction(async_middleware)

    def middleware(request: HttpRequest) -> HttpResponse:
        return _apply(request, get_response(request))  # type: ignore[arg-type]

    return middleware


def page_context(request: HttpRequest) -> dict[str, object]:
    """Context processor: whether this is the demonstration mode."""
    return {"demo": settings.DEMO}
