"""Headers and template context shared by all pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from livestream.sdks import player_sources, sdk_addresses

CAMERA_PATHS = ("/studio/", "/live/")


class PermissionsPolicyMiddleware(MiddlewareMixin):
    """Allow camera and microphone only on pages that can send."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Add the header."""
        allowed = "(self)" if request.path.startswith(CAMERA_PATHS) else "()"
        response.headers.setdefault(
            "Permissions-Policy",
            f"camera={allowed}, microphone={allowed}, display-capture={allowed}, geolocation=(), payment=(), usb=()",
        )
        return response


def with_player(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Allow a page with a player to reach the enabled media providers. By default there are none."""

    @wraps(view)
    def wrapped(*args: Any, **kwargs: Any) -> HttpResponse:
        return cast(HttpResponse, csp_update(player_sources())(view)(*args, **kwargs))

    return wrapped


def page_context(request: HttpRequest) -> dict[str, object]:
    """Context processor: whether the demo mode is on, and the addresses of the players' SDKs."""
    return {"demo": settings.DEMO, "player_sdks": sdk_addresses}
