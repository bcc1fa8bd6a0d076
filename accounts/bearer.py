"""Bearer tokens (JWT) for apps: a short one that opens the API, and a long one that gets the next short one.

Both hold a hash of the password, so that a new password ends them all.
"""

from typing import TypedDict
from uuid import UUID

from django.utils.crypto import constant_time_compare
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken, Token
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts.models import User
from livestream.errors import NotAuthenticated
from livestream.identifiers import as_uuid

MAX_LENGTH = 4096


class BearerAuthentication(JWTAuthentication):
    """Simple JWT's rules; a token without its claims is refused like any other that is not valid."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]
        """Whose token this is. Raises AuthenticationFailed when they are gone, closed, or have a new password."""
        user_id = user_id_of(validated_token)
        return let_in(User.objects.filter(pk=user_id).first() if user_id else None, validated_token)


def user_id_of(token: Token) -> UUID | None:
    """The person that a token names."""
    return as_uuid(str(token.get(api_settings.USER_ID_CLAIM)))


def let_in(user: User | None, token: Token) -> User:
    """The user, if they may come in with this token of theirs. Raises AuthenticationFailed."""
    password = str(token.get(api_settings.REVOKE_TOKEN_CLAIM))
    if user is None or not user.is_active:
        raise AuthenticationFailed()
    if not constant_time_compare(password, get_md5_hash_password(user.password)):
        raise AuthenticationFailed()
    return user


def access_token_read(access: bytes) -> Token:
    """An access token whose signature and dates are good. Raises NotAuthenticated."""
    if len(access) > MAX_LENGTH:  # before it is decoded, and its signature made
        raise not_valid()
    try:
        token: Token = BearerAuthentication().get_validated_token(access)
    except AuthenticationFailed:
        raise not_valid() from None
    return token


class BearerScheme(SimpleJWTScheme):
    """How the OpenAPI schema describes it."""

    target_class = "accounts.bearer.BearerAuthentication"


class Pair(TypedDict):
    """The two tokens, as the API gives them."""

    access: str
    refresh: str


def bearer_pair(*, user: User) -> Pair:
    """New tokens for a person who has just authenticated."""
    refresh = RefreshToken.for_user(user)
    return Pair(access=str(refresh.access_token), refresh=str(refresh))


def bearer_refresh(*, refresh: str) -> Pair:
    """A new access token. The refresh token stays the same one, and its end does not move.

    Raises NotAuthenticated when it is too old, forged, or its person has a new password or a closed account.
    """
    try:
        token = RefreshToken(refresh)  # type: ignore[arg-type]
        BearerAuthentication().get_user(token)
    except (TokenError, AuthenticationFailed):
        raise not_valid() from None
    return Pair(access=str(token.access_token), refresh=refresh)


def not_valid(code: str = "token.invalid") -> NotAuthenticated:
    """What every token or ticket that is no good gets, whatever is wrong with it."""
    return NotAuthenticated(code, "Your session has expired. Log in again.")
