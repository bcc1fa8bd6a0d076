"""Email addresses of accounts: verified by a link, changed with the password.

The link is a signed text with the account, the address and the account's `access_version`. It works while the address
is the one that waits, so it works once, and ends with a newer address, a new password, or time.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.login_limits import network_of, password_tries
from accounts.mail import link, mail_put, mail_writer
from accounts.models import User
from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Denied, Invalid, Missing
from livestream.ratelimit import require_allowed

SALT = "accounts.email"
LINK_SECONDS = 3 * 24 * 3600
MAX_LENGTH = 254
CHANGES_PER_HOUR = 5
CHANGES_PER_NETWORK = 20


def clean_email(text: str) -> str:
    """Return the address for storage, in lower case. May be empty. Raises Invalid."""
    address = text.strip().lower()
    if not address:
        return ""
    try:
        if not address.isascii() or len(address) > MAX_LENGTH:
            raise ValidationError("")
        validate_email(address)
    except ValidationError:
        raise Invalid("email.invalid", "That isn't an email address we can write to.") from None
    return address


def email_change(*, actor: Actor, email: str, password: str, address: str, now: datetime, browser: str = "") -> User:
    """Send a link to a new address, which takes effect once it is opened. The present address sends it again.

    Empty removes the address. Raises Invalid with `fields`, Denied for demo accounts, and TooMany.
    """
    user = _open_account(require_signed_in(actor))
    try:
        new = clean_email(email)
    except Invalid as error:
        raise Invalid("invalid", error.message, fields={"email": [error.message]}) from None
    if user.is_demo:
        raise Denied(message="Demo accounts are shared and have no email address.")
    with password_tries(username=user.username, address=address, browser=browser) as tries:
        if not user.check_password(password):
            message = "That isn't your current password."
            raise Invalid("invalid", message, fields={"password": [message]})
        tries.give_back()
    message = "You've changed your email address several times recently."
    require_allowed(scope="email", key=str(user.pk), limit=CHANGES_PER_HOUR, seconds=3600, message=message)
    network = network_of(address)
    require_allowed(scope="email-net", key=network, limit=CHANGES_PER_NETWORK, seconds=3600, message=message)
    return _pending_set(user_id=user.pk, address=new, now=now)


def _pending_set(*, user_id: UUID, address: str, now: datetime) -> User:
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user_id)
        if not address:
            _notify_former(user, now)
            user.email = ""
        user.pending_email = "" if address == user.email else address
        user.save(update_fields=["email", "pending_email"])
        verification_put(user=user, now=now)
    return user


def verification_put(*, user: User, now: datetime) -> None:
    """Schedule the mail with the link to the address that waits, if one does."""
    if user.pending_email:
        mail_put(template="verify_email", key=str(user.pk), payload={"user": str(user.pk)}, now=now)


def email_of(token: str) -> str:
    """Return the address that a link would verify now. Raises Invalid for a link that is used, replaced or too old."""
    return _waiting(token).pending_email


def email_verify(*, token: str, now: datetime) -> User:
    """Make the address of a link the account's own, and notify the former one. Raises Invalid as `email_of`, and
    Conflict if another account has verified the address meanwhile."""
    try:
        with transaction.atomic():
            user = _waiting(token, lock=True)
            _notify_former(user, now)
            user.email, user.pending_email = user.pending_email, ""
            user.save(update_fields=["email", "pending_email"])
    except IntegrityError:
        raise Conflict("email.taken", "Another account already uses that address.") from None
    return user


def _waiting(token: str, *, lock: bool = False) -> User:
    """Return the account that waits for this link."""
    refused = Invalid("link.invalid", "This link has expired or was already used.")
    try:
        named = signing.loads(token, salt=SALT, max_age=LINK_SECONDS)
        user_id = UUID(named["user"])
    except (signing.BadSignature, ValueError, KeyError, TypeError):
        raise refused from None
    people = User.objects.select_for_update() if lock else User.objects.all()
    user = people.filter(pk=user_id, is_active=True, pending_email=named["email"]).first()
    if user is None or not user.pending_email or user.access_version != named["access"]:
        raise refused
    return user


def verification_token(user: User) -> str:
    """Return the text of the link for the address that waits."""
    named = {"user": str(user.pk), "email": user.pending_email, "access": user.access_version}
    return signing.dumps(named, salt=SALT)


def _notify_former(user: User, now: datetime) -> None:
    if user.email:
        payload = {"user": str(user.pk), "former": user.email}
        mail_put(template="email_changed", key=f"{user.pk}:{user.email}", payload=payload, now=now)


def _open_account(user_id: UUID) -> User:
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise Missing()
    return user


@mail_writer("verify_email")
def _verify_mail(payload: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    user = User.objects.filter(pk=payload["user"], is_active=True).exclude(pending_email="").first()
    if user is None:
        return None
    path = reverse("email_verify", args=[verification_token(user)])
    return user.pending_email, {"username": user.username, "link": link(path)}


@mail_writer("email_changed")
def _changed_mail(payload: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    user = User.objects.filter(pk=payload["user"]).first()
    return None if user is None else (payload["former"], {"username": user.username})
