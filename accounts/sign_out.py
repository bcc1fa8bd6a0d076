"""Effect of a log-out on open sockets. Pages and the admin both log out through Django, which sends the signal."""

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import User
from accounts.services import sockets_reopen


@receiver(user_logged_out)
def signed_out(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    """Make the person's sockets reconnect and authenticate again. Those of this browser are then anonymous."""
    # Django flushes the session after this signal, and a fast socket could reconnect before that.
    request.session.flush()
    if user is not None:
        sockets_reopen(user_id=user.pk)
