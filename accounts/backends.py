"""Signing in with name and password, with a limit on guesses that counts before the hasher runs."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts.models import User


class LimitedModelBackend(ModelBackend):
    """Django's backend; the limit is in `accounts.services`."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        return super().authenticate(request, username=username, password=password, **kwargs)  # type: ignore[return-value]
