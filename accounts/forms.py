"""Log-in forms of the pages and the admin, with readable messages for the limits."""

import math
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from livestream.errors import DomainError, TooMany


def sentence(error: DomainError) -> str:
    """Return an error's message with the next step for the person."""
    if not isinstance(error, TooMany) or error.retry_after is None:
        return error.message
    minutes = math.ceil(error.retry_after / 60)
    wait = "a minute" if minutes == 1 else f"{minutes} minutes"
    return f"{error.message} Try again in {wait}."


class SignInForm(AuthenticationForm):
    """Username and password. Pages must use this form, because Django's own does not handle the limits."""

    def clean(self) -> dict[str, Any]:
        """Validate; afterwards `get_user()` returns the person."""
        try:
            return super().clean()
        except DomainError as error:
            raise ValidationError(sentence(error), code=error.code) from None


class AdminSignInForm(SignInForm, AdminAuthenticationForm):
    """The form of the admin, for site staff only."""
