"""Operations on accounts."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Lower

from accounts.email_addresses import clean_email, verification_put
from accounts.login_limits import password_tries
from accounts.models import User
from accounts.names import clean_display_name, is_reserved
from accounts.signals import access_revoked
from accounts.tickets import tickets_withdraw
from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Denied, Invalid, Missing
from livestream.events import close_user
from livestream.plain_sql import select, uuid_of
from livestream.ratelimit import require_allowed
from livestream.realtime.protocol import CloseCode

MAX_PASSWORD_LENGTH = 256
NEW_PASSWORDS_PER_HOUR = 5
ACCESS_VERSIONS = "SELECT id, access_version FROM accounts_user WHERE is_active AND id IN ({})"
RIGHTS = ("is_active", "is_staff", "is_superuser")

logger = logging.getLogger(__name__)


def user_register(*, username: str, password: str, display_name: str = "", email: str = "") -> User:
    """Create an account. A link to verify the email address is sent to it.

    Raises Invalid with `fields`, and Conflict for a username that exists.
    """
    fields: dict[str, list[str]] = {}
    user = User(username=username.strip())
    try:
        user.display_name = allowed_display_name(display_name)
    except Invalid as error:
        fields["display_name"] = [error.message]
    try:
        user.pending_email = clean_email(email)
    except Invalid as error:
        fields["email"] = [error.message]
    username_problems = _username_problems(user)
    if username_problems:
        fields["username"] = username_problems
    problems = password_problems(password, user)
    if problems:
        fields["password"] = problems
    if fields:
        raise invalid_fields(fields)
    if username_taken(username=user.username):
        raise _taken()
    user.password = make_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            verification_put(user=user, now=datetime.now(UTC))
    except IntegrityError:
        raise _taken() from None
    logger.info("account made user=%s", user.pk)
    return user


def profile_update(*, actor: Actor, display_name: str | None = None) -> User:
    """Change a person's profile; None leaves a field unchanged. Raises Invalid with `fields`."""
    user = get_user(user_id=require_signed_in(actor))
    if display_name is None:
        return user
    try:
        user.display_name = allowed_display_name(display_name, is_staff=user.is_staff)
    except Invalid as error:
        raise invalid_fields({"display_name": [error.message]}) from None
    user.save(update_fields=["display_name"])
    return user


def password_change(*, actor: Actor, old_password: str, new_password: str, address: str, browser: str = "") -> User:
    """Set a new password, given the old one. Ends all sessions and tokens of the old one.

    Sessions and JWTs end by themselves, because they contain a hash of the password; a page that wants to stay logged
    in calls `update_session_auth_hash` with the returned user. Raises TooMany after too many failed attempts, and after
    too many changes: each may move the shows they are in to another room.
    """
    user = get_user(user_id=require_signed_in(actor))
    with password_tries(username=user.username, address=address, browser=browser) as tries:
        if not user.check_password(old_password):
            raise invalid_fields({"old_password": ["That isn't your current password."]})
        tries.give_back()
    problems = password_problems(new_password, user)
    if problems:
        raise invalid_fields({"new_password": problems})
    require_allowed(
        scope="new-password",
        key=str(user.pk),
        limit=NEW_PASSWORDS_PER_HOUR,
        seconds=3600,
        message="You've changed your password several times recently. Wait a while and try again.",
    )
    return password_set(user_id=user.pk, password=new_password)


def password_set(*, user_id: UUID, password: str | None) -> User:
    """Set a new password without the old one. None disables logging in with a password.

    The account may be closed.
    """
    return password_store(user_id=user_id, hashed=make_password(password))


def password_store(*, user_id: UUID, hashed: str) -> User:
    """Store a hashed password, and end all access of the former one."""
    with transaction.atomic():
        user = User.objects.get(pk=user_id)
        user.password = hashed
        user.save(update_fields=["password"])
        access_revoke(user_id=user_id, now=datetime.now(UTC))
        user.refresh_from_db(fields=["access_version"])
    logger.info("password changed user=%s", user_id)
    return user


def account_update(*, user_id: UUID, actor: Actor, changes: dict[str, Any]) -> User:
    """Change an account as an administrator. Sockets and tickets with the former rights are ended.

    `changes` are display_name, is_active, is_staff and is_superuser. Raises Denied if the actor is not staff, and for
    closing their own account or dropping their own rights, which they could not undo.
    """
    if not actor.is_staff:
        raise Denied()
    user = User.objects.get(pk=user_id)
    rights = {name for name in RIGHTS if name in changes and getattr(user, name) != changes[name]}
    if rights and user_id == actor.user_id:
        raise Denied(message="You can't change your own rights. Ask another administrator.")
    if "display_name" in changes:
        changes = changes | {"display_name": clean_display_name(changes["display_name"])}
    for name, value in changes.items():
        setattr(user, name, value)
    now = datetime.now(UTC)
    with transaction.atomic():
        user.save(update_fields=list(changes))
        if any(not changes[name] for name in rights):
            access_revoke(user_id=user_id, now=now)
        elif rights:
            _end_sockets(user_id=user_id, now=now)
    if rights:
        logger.info("rights changed user=%s by=%s changed=%s", user_id, actor.user_id, ",".join(sorted(rights)))
    return user


def access_versions(user_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return the current `access_version` by user id, for open accounts. An actor with another `access` is outdated."""
    return {uuid_of(pk): version for pk, version in select(ACCESS_VERSIONS, set(user_ids))}


def access_revoke(*, user_id: UUID, now: datetime) -> None:
    """End a person's access under the former account: sockets, their tickets, and credentials issued by other apps.

    For a new password, revoked rights, or a closed account. Takes effect once the running transaction has committed.
    """
    User.objects.filter(pk=user_id).update(access_version=F("access_version") + 1)
    _end_sockets(user_id=user_id, now=now)
    access_revoked.send(sender=User, user_id=user_id, now=now)


def _end_sockets(*, user_id: UUID, now: datetime) -> None:
    """End sockets, and their tickets, with the person's former rights."""
    transaction.on_commit(lambda: tickets_withdraw(user_id=user_id, now=now))
    close_user(user_id=user_id, code=CloseCode.NOT_SIGNED_IN, reason="sign in again")


def sockets_reopen(*, user_id: UUID) -> None:
    """Make a person's sockets reconnect and authenticate again, after a log-out anywhere."""
    close_user(user_id=user_id, code=CloseCode.RESTARTING, reason="signed out")


def get_user(*, user_id: UUID) -> User:
    """Return the active person with this id. Raises Missing."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise Missing()
    return user


def username_taken(*, username: str) -> bool:
    """Return whether the username exists, ignoring case."""
    lowered = User.objects.alias(lowered=Lower("username"))
    return lowered.filter(lowered=username.lower()).exists()


def allowed_display_name(text: str, *, is_staff: bool = False) -> str:
    """Return the cleaned name. Raises Invalid if it is too long, or claims an office that the person does not hold."""
    name = clean_display_name(text)
    if name and not is_staff and is_reserved(name):
        raise Invalid("name.reserved", "That name is reserved. Choose another one.")
    return name


def _username_problems(user: User) -> list[str]:
    exclude = {field.name for field in User._meta.fields} - {"username"}
    try:
        user.clean_fields(exclude=exclude)
    except ValidationError as error:
        return [str(message) for message in error.message_dict["username"]]
    return ["That name is reserved. Choose another one."] if is_reserved(user.username) else []


def password_problems(password: str, user: User) -> list[str]:
    """Return why a password may not be chosen, in sentences."""
    if len(password) > MAX_PASSWORD_LENGTH:
        return [f"Use at most {MAX_PASSWORD_LENGTH} characters."]
    try:
        password.encode("utf-8")
        validate_password(password, user)
    except UnicodeEncodeError:
        return ["That password contains invalid characters."]
    except ValidationError as error:
        return list(error.messages)
    return []


def invalid_fields(fields: dict[str, list[str]]) -> Invalid:
    """Return the error about these fields."""
    first = next(iter(fields.values()))[0]
    return Invalid("invalid", first, fields=fields)


def _taken() -> Conflict:
    message = "That name is taken. Choose another one."
    return Conflict("name.taken", message, fields={"username": [message]})
