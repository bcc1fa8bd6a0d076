"""Headers and template context that every page shares."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from livestream.sdks import player_sources, sdk_addresses

Handler = Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]

CAMERA_PATHS = ("/studio/", "/live/")


def _camera_where_needed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Camera and microphone only where somebody may go on air."""
    allowed = "(self)" if request.path.startswith(CAMERA_PATHS) else "()"
    response.headers.setdefault(
        "Permissions-Policy",
        f"camera={allowed}, microphone={allowed}, display-capture={allowed}, geolocation=(), payment=(), usb=()",
    )
    return response


def on_response(apply: Callable[[HttpRequest, HttpResponse], HttpResponse]) -> Callable[[Handler], Handler]:
    """Middleware that does something to every answer, in a sync and an async chain alike."""

    @sync_and_async_middleware
    def factory(get_response: Handler) -> Handler:
        if iscoroutinefunction(get_response):

            async def async_middleware(request: HttpRequest) -> HttpResponse:
                return apply(request, await get_response(request))

            return markcoroutinefunction(async_middleware)

        def middleware(request: HttpRequest) -> HttpResponse:
            return apply(request, get_response(request))  # type: ignore[arg-type]

        return middleware

    return factory


permissions_policy = on_response(_camera_where_needed)


def with_player(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page that plays or sends may also reach the media providers that are turned on. By default there are none."""

    @wraps(view)
    def wrapped(*args: Any, **kwargs: Any) -> HttpResponse:
        return cast(HttpResponse, csp_update(player_sources())(view)(*args, **kwargs))

    return wrapped


def page_context(request: HttpRequest) -> dict[str, object]:
    """Context processor: whether this is the demonstration mode, and where the players' SDKs are."""
    return {"demo": settings.DEMO, "player_sdks": sdk_addresses}
