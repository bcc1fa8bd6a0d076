"""Input and output of the accounts API."""

from typing import Any

from rest_framework import serializers

from accounts.bearer import MAX_LENGTH
from accounts.names import DISPLAY_NAME_LENGTH
from accounts.services import MAX_PASSWORD_LENGTH


class PasswordField(serializers.CharField):
    """A password: write-only, not trimmed."""

    def __init__(self, **kwargs: Any) -> None:
        options = {"trim_whitespace": False, "max_length": MAX_PASSWORD_LENGTH, "write_only": True}
        super().__init__(**{"style": {"input_type": "password"}, **options, **kwargs})


class EmailField(serializers.CharField):
    """An email address; `accounts.email_addresses` has the rules. Empty is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_blank": True, "max_length": 254, **kwargs})


class Account(serializers.Serializer[Any]):
    """The public part of an account."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    display_name = serializers.CharField(source="shown_name")


class Me(Account):
    """The caller's own account."""

    is_staff = serializers.BooleanField()
    email = serializers.CharField(help_text="The verified address, or empty.")
    pending_email = serializers.CharField(help_text="The address that waits for its owner to open the link, or empty.")


class Registration(serializers.Serializer[Any]):
    """The data of a new account."""

    username = serializers.CharField(max_length=30)
    password = PasswordField()
    display_name = serializers.CharField(required=False, allow_blank=True, max_length=DISPLAY_NAME_LENGTH * 8)
    email = EmailField(required=False)


class Credentials(serializers.Serializer[Any]):
    """Credentials of a person who logs in."""

    username = serializers.CharField(max_length=150)
    password = PasswordField()


class TokenPair(serializers.Serializer[Any]):
    """`access` is for the Authorization header; `refresh` for requesting the next one."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class Registered(TokenPair):
    """A new account, logged in."""

    user = Account()


class Refresh(serializers.Serializer[Any]):
    """A refresh token."""

    refresh = serializers.CharField(max_length=MAX_LENGTH)


class TicketRequest(serializers.Serializer[Any]):
    """The session whose room socket will be opened."""

    session = serializers.UUIDField()


class TicketOut(serializers.Serializer[Any]):
    """A ticket, valid once, for that room, until it expires."""

    ticket = serializers.CharField()
    expires_at = serializers.DateTimeField()


class ProfileChange(serializers.Serializer[Any]):
    """Changes to the caller's profile."""

    display_name = serializers.CharField(required=False, allow_blank=True, max_length=DISPLAY_NAME_LENGTH * 8)


class EmailChange(serializers.Serializer[Any]):
    """A new address, and the current password."""

    email = EmailField()
    password = PasswordField()


class Forgotten(serializers.Serializer[Any]):
    """Whose password was forgotten: an email address or a username."""

    email = serializers.CharField(allow_blank=True, max_length=254)


class Reset(serializers.Serializer[Any]):
    """The token of a mailed link, and the new password."""

    token = serializers.CharField(max_length=200)
    password = PasswordField()


class PasswordChange(serializers.Serializer[Any]):
    """Current and new password."""

    old_password = PasswordField()
    new_password = PasswordField()
