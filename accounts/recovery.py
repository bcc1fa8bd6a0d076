"""Forgotten passwords: a link to the verified address of the account.

A request is answered before anybody looks whether the account exists: it only schedules a task with the name that was
given, and the sender of mails looks it up. So the answer, and the time it takes, are the same in every case.
"""

import hashlib
import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.db.models.functions import Lower
from django.urls import reverse

from accounts.login_limits import network_of
from accounts.mail import link, mail_put, mail_writer
from accounts.models import User
from accounts.services import invalid_fields, password_problems, password_store
from livestream.errors import Invalid
from livestream.ratelimit import require_allowed

REQUESTS_PER_NETWORK = 20
NAME_LENGTH = 254

logger = logging.getLogger(__name__)


class _Tokens(PasswordResetTokenGenerator):
    """Django's tokens end with the password, the address, a log-in and time; these also with lost rights."""

    key_salt = "accounts.recovery"

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}{user.access_version}"


tokens = _Tokens()


def recovery_request(*, name: str, address: str, now: datetime) -> None:
    """Send a link to the account with this username or email address, if there is one with a verified address.

    Does not tell whether there is. Raises TooMany for too many requests from a network, whatever they name.
    """
    require_allowed(scope="recovery", key=network_of(address), limit=REQUESTS_PER_NETWORK, seconds=3600)
    name = name.strip().lower()
    if not name or not name.isascii() or not name.isprintable() or len(name) > NAME_LENGTH:
        return  # no account has such a name, and a database may refuse to search for it
    key = hashlib.sha256(name.encode()).hexdigest()[:32]
    with transaction.atomic():
        mail_put(template="recover_password", key=key, payload={"name": name}, now=now)


def recovery_token(user: User) -> str:
    """Return the text of a link that sets a new password once."""
    return f"{user.pk.hex}-{tokens.make_token(user)}"


def recovery_account(token: str) -> User:
    """Return the account of a link. Raises Invalid if it is used, replaced or too old."""
    user_hex, _, secret = token.partition("-")
    try:
        user = User.objects.filter(pk=UUID(hex=user_hex), is_active=True, is_demo=False).exclude(email="").first()
    except ValueError:
        user = None
    if user is None or not tokens.check_token(user, secret):
        raise Invalid("link.invalid", "This link has expired or was already used.")
    return user


def password_recover(*, token: str, password: str) -> User:
    """Set a new password by a link. Ends all sessions and tokens, as a change of the password does.

    Raises Invalid for a link that is no good, and with `fields` for a password that may not be chosen.
    """
    problems = password_problems(password, recovery_account(token))
    if problems:
        raise invalid_fields({"password": problems})
    hashed = make_password(password)  # before the lock is taken: it is slow on purpose
    with transaction.atomic():
        User.objects.select_for_update().filter(pk=recovery_account(token).pk).first()
        user = recovery_account(token)  # as it is now: another request may have used the link
        user = password_store(user_id=user.pk, hashed=hashed)
    logger.info("password recovered user=%s", user.pk)
    return user


@mail_writer("recover_password")
def _recovery_mail(payload: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    name = payload["name"]
    people = User.objects.alias(name_lower=Lower("username"), email_lower=Lower("email"))
    people = people.filter(is_active=True, is_demo=False).exclude(email="")
    user = people.filter(email_lower=name).first() if "@" in name else people.filter(name_lower=name).first()
    if user is None:
        return None
    path = reverse("password_recover", args=[recovery_token(user)])
    return user.email, {"username": user.username, "link": link(path)}
