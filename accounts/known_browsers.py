"""Browsers that logged in before, identified by a signed cookie. They have a separate limit on wrong passwords."""

import hashlib
import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

COOKIE = "signed_in_before"
SECONDS = 180 * 24 * 3600
# Beyond this number of accounts, the least recent one is dropped.
ACCOUNTS = 8
_SIGNED_IN = "livestream.signed_in"


def known_browser(request: Any, username: str) -> str:
    """Return the name of a browser that logged in to this account before, otherwise ""."""
    cookie = _read(request)
    return cookie["browser"] if _digest(username) in cookie["accounts"] else ""


def browser_remember(request: Any, username: str) -> None:
    """Note that this browser has logged in to the account. The response will set the cookie."""
    request.META[_SIGNED_IN] = _digest(username)


def _read(request: Any) -> dict[str, Any]:
    try:
        cookie: dict[str, Any] = signing.loads(request.COOKIES.get(COOKIE, ""), salt=COOKIE, max_age=SECONDS)
    except signing.BadSignature:
        return {"browser": secrets.token_urlsafe(12), "accounts": []}
    return cookie


def _digest(username: str) -> str:
    return hashlib.sha256(username.lower().encode("utf-8", "surrogatepass")).hexdigest()[:16]


class KnownBrowserMiddleware(MiddlewareMixin):
    """Sets the cookie for a browser that has just logged in, on pages, in the admin and over the API."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Set the cookie after a log-in."""
        account = request.META.get(_SIGNED_IN)
        if account is not None:
            cookie = _read(request)
            others = [other for other in cookie["accounts"] if other != account]
            value = signing.dumps({**cookie, "accounts": [account, *others][:ACCOUNTS]}, salt=COOKIE)
            response.set_cookie(
                COOKIE,
                value,
                max_age=SECONDS,
                httponly=True,
                samesite="Lax",
                secure=settings.SESSION_COOKIE_SECURE or request.is_secure(),
            )
        return response
