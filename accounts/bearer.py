"""Bearer tokens (JWT) for apps: a short one that opens the API, and a long one that gets the next short one.

Both hold a hash of the password, so that a new password ends them all.
"""

from typing import TypedDict

from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.models import User
from livestream.actors import Actor, actor_of
from livestream.errors import NotAuthenticated

MAX_LENGTH = 4096


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
        JWTAuthentication().get_user(token)
    except (TokenError, AuthenticationFailed):
        raise not_valid() from None
    return Pair(access=str(token.access_token), refresh=refresh)


def bearer_actor(*, access: str) -> Actor:
    """Whose access token this is. Raises NotAuthenticated."""
    authentication = JWTAuthentication()
    try:
        user = authentication.get_user(authentication.get_validated_token(access.encode("ascii")))
    except (UnicodeEncodeError, AuthenticationFailed):
        raise not_valid() from None
    return actor_of(user)


def not_valid(code: str = "token.invalid") -> NotAuthenticated:
    """What every token or ticket that is no good gets, whatever is wrong with it."""
    return NotAuthenticated(code, "That sign-in is not valid any more. Sign in again.")
