"""Log-in forms of the pages and of the admin: the limits on guessing, said in a sentence."""

import math
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from livestream.errors import DomainError, TooMany


def sentence(error: DomainError) -> str:
    """An error in words that say what to do next."""
    if not isinstance(error, TooMany) or error.retry_after is None:
        return error.message
    minutes = math.ceil(error.retry_after / 60)
    wait = "a minute" if minutes == 1 else f"{minutes} minutes"
    return f"{error.message} Try again in {wait}."


class SignInForm(AuthenticationForm):
    """Name and password. Use this one on pages: Django's own does not know the limits."""

    def clean(self) -> dict[str, Any]:
        """The form's data; `get_user()` has the person then."""
        try:
            return super().clean()
        except DomainError as error:
            raise ValidationError(sentence(error), code=error.code) from None


class AdminSignInForm(SignInForm, AdminAuthenticationForm):
    """The same for the admin, where only the staff comes in."""
