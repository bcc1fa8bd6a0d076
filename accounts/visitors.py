"""Counting of anonymous visitors once each, by a random cookie."""

import re
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

VISITOR_COOKIE = "visitor"
VISITOR_SECONDS = 365 * 24 * 3600
VISITOR_FORM = re.compile(r"\A[A-Za-z0-9_-]{22}\Z")


def visitor_name() -> str:
    """Return a new visitor name: 128 random bits in 22 characters."""
    return secrets.token_urlsafe(16)


def visitor_of(cookie: str | None) -> str | None:
    """Return the visitor in a cookie's value, or None if it is missing or malformed."""
    return cookie if cookie and VISITOR_FORM.match(cookie) else None


class VisitorCookieMiddleware(MiddlewareMixin):
    """Sets a visitor cookie in every browser that opens a page."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Set the cookie if there is none."""
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if is_page and visitor_of(request.COOKIES.get(VISITOR_COOKIE)) is None:
            response.set_cookie(
                VISITOR_COOKIE,
                visitor_name(),
                max_age=VISITOR_SECONDS,
                httponly=True,
                samesite="Lax",
                secure=settings.SESSION_COOKIE_SECURE or request.is_secure(),
            )
        return response
