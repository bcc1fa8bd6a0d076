"""Log-in with username and password, for pages, API and admin."""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.db.models.functions import Lower
from django.http import HttpRequest

from accounts.known_browsers import browser_remember, known_browser
from accounts.login_limits import password_tries
from accounts.models import User
from livestream.rest import client_address


class LimitedModelBackend(ModelBackend):
    """Django's backend with a limit on failed attempts, and case-insensitive names.

    Raises TooMany, and Unavailable if too many hashes are waiting; `accounts.forms` turns them into sentences on a
    page.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the person, or None for a wrong name or password, which take the same time."""
        if username is None or password is None:
            return None
        address, browser = "", ""
        if request is not None:
            address, browser = client_address(request), known_browser(request, username)
        with password_tries(username=username, address=address, browser=browser) as tries:
            user = _named(username)
            if user is None:
                User().set_password(password)
            elif user.check_password(password) and self.user_can_authenticate(user):
                tries.give_back()
                if request is not None:
                    browser_remember(request, username)
                return user
        return None

    def user_can_authenticate(self, user: Any) -> bool:
        """Only active people; demo accounts only in the demo mode. This also ends sessions."""
        return super().user_can_authenticate(user) and (settings.DEMO or not user.is_demo)

    async def aauthenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:  # type: ignore[override]
        """Call `authenticate`. Django's own version would bypass the limit."""
        return await sync_to_async(self.authenticate)(request, **kwargs)


def _named(username: str) -> User | None:
    if not username.isascii() or not username.isprintable():
        return None  # no such usernames exist, and a database may refuse to search for it
    lowered = User.objects.alias(lowered=Lower("username"))
    return lowered.filter(lowered=username.lower()).first()
