"""What signing out does to open sockets. Pages and the admin all sign out through Django, which tells us here."""

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import User
from accounts.services import sockets_reopen


@receiver(user_logged_out)
def signed_out(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    """The person's sockets come back and show who they are; those of this browser are nobody's then."""
    # Django flushes the session after this signal, and a quick socket could come back before that.
    request.session.flush()
    if user is not None:
        sockets_reopen(user_id=user.pk)
