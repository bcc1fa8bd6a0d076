"""Bearer tokens (JWT) for apps: a short-lived access token for the API, and a long-lived refresh token.

Both contain a hash of the password, so that a new password revokes them all.
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
    """Simple JWT's rules. A token with missing claims is refused like any other invalid one."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]
        """Return the token's person. Raises AuthenticationFailed if deleted, closed, or the password changed."""
        user_id = user_id_of(validated_token)
        return require_valid(User.objects.filter(pk=user_id).first() if user_id else None, validated_token)


def user_id_of(token: Token) -> UUID | None:
    """Return the user id in a token."""
    return as_uuid(str(token.get(api_settings.USER_ID_CLAIM)))


def require_valid(user: User | None, token: Token) -> User:
    """Return the user if this token of theirs is valid. Raises AuthenticationFailed."""
    password = str(token.get(api_settings.REVOKE_TOKEN_CLAIM))
    if user is None or not user.is_active:
        raise AuthenticationFailed()
    if not constant_time_compare(password, get_md5_hash_password(user.password)):
        raise AuthenticationFailed()
    return user


def access_token_read(access: bytes) -> Token:
    """Return an access token with a valid signature and dates. Raises NotAuthenticated."""
    if len(access) > MAX_LENGTH:  # before decoding it and computing its signature
        raise not_valid()
    try:
        token: Token = BearerAuthentication().get_validated_token(access)
    except AuthenticationFailed:
        raise not_valid() from None
    return token


class BearerScheme(SimpleJWTScheme):
    """The description for the OpenAPI schema."""

    target_class = "accounts.bearer.BearerAuthentication"


class Pair(TypedDict):
    """The two tokens, as returned by the API."""

    access: str
    refresh: str


def bearer_pair(*, user: User) -> Pair:
    """Return new tokens for a person who has just authenticated."""
    refresh = RefreshToken.for_user(user)
    return Pair(access=str(refresh.access_token), refresh=str(refresh))


def bearer_refresh(*, refresh: str) -> Pair:
    """Return a new access token. The refresh token and its expiry stay the same.

    Raises NotAuthenticated if it is expired or forged, the password changed, or the account is closed.
    """
    try:
        token = RefreshToken(refresh)  # type: ignore[arg-type]
        BearerAuthentication().get_user(token)
    except (TokenError, AuthenticationFailed):
        raise not_valid() from None
    return Pair(access=str(token.access_token), refresh=refresh)


def not_valid(code: str = "token.invalid") -> NotAuthenticated:
    """Return the error for any invalid token or ticket, whatever the reason."""
    return NotAuthenticated(code, "Your session has expired. Log in again.")
