"""Bearer tokens (JWT) for apps: a short one that opens the API, and a long one that gets the next short one.

Both hold a hash of the password, so that a new password ends them all.
"""

from collections.abc import Sequence
from copy import copy
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
from livestream.actors import Actor, actor_of
from livestream.batching import Batcher, GatheredInThreads
from livestream.errors import NotAuthenticated
from livestream.prepared import PreparedBulk

MAX_LENGTH = 4096

people_by_id = PreparedBulk(User)


def _people(user_ids: Sequence[UUID]) -> list[User | Exception]:
    found = people_by_id(set(user_ids))
    # Two requests of one person run in two threads: what a view does to its user must not reach the other's.
    return [copy(found[user_id]) if user_id in found else AuthenticationFailed() for user_id in user_ids]


_person = GatheredInThreads(_people)
_person_awaited = Batcher(_people)


class BearerAuthentication(JWTAuthentication):
    """Simple JWT's rules with the people of a crowd read together."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]
        """Whose token this is. Raises AuthenticationFailed when they are gone, closed, or have a new password."""
        return _let_in(_person(_named(validated_token)), validated_token)


def _named(token: Token) -> UUID:
    try:
        return UUID(token[api_settings.USER_ID_CLAIM])
    except (KeyError, ValueError):
        raise AuthenticationFailed() from None


def _let_in(user: User, token: Token) -> User:
    password = str(token.get(api_settings.REVOKE_TOKEN_CLAIM))
    if not user.is_active or not constant_time_compare(password, get_md5_hash_password(user.password)):
        raise AuthenticationFailed()
    return user


class BearerScheme(SimpleJWTScheme):
    """How the OpenAPI schema describes it."""

    target_class = "accounts.bearer.BearerAuthentication"


class Pair(TypedDict):
    """The two tokens, as the API gives them."""

    access: str
    refresh: str


def bearer_pair(*, user: User) -> Pair:
    """New tokens for somebody who has just shown who they are."""
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


async def bearer_actor(*, access: bytes) -> Actor:
    """Whose access token this is. Raises NotAuthenticated."""
    if len(access) > MAX_LENGTH:  # before it is decoded, and its signature made
        raise not_valid()
    try:
        token = BearerAuthentication().get_validated_token(access)
        return actor_of(_let_in(await _person_awaited(_named(token)), token))
    except AuthenticationFailed:
        raise not_valid() from None


def not_valid(code: str = "token.invalid") -> NotAuthenticated:
    """What every token or ticket that is no good gets, whatever is wrong with it."""
    return NotAuthenticated(code, "That sign-in is not valid any more. Sign in again.")
