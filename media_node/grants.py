"""Signed grants: permission to publish or watch a session, and permission to control the node.

Both are JSON Web Tokens signed with HMAC-SHA256 (RFC 7519, RFC 7518 section 3.2), with the secret shared by web and
node. The functions are pure when `now` is given.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal, cast

import jwt

Role = Literal["publisher", "subscriber"]
# The holder's stage role when the grant was issued. Empty for participants who are not on stage, and in grants without
# the claim.
Stage = Literal["host", "cohost", "guest", ""]
Source = Literal["audio", "camera", "screen"]

STAGES: tuple[Stage, ...] = ("host", "cohost", "guest", "")
SOURCES: tuple[Source, ...] = ("audio", "camera", "screen")
ISSUER = "livestream"
AUDIENCE = "media"
CONTROL_AUDIENCE = "media-control"
LEEWAY_SECONDS = 60
CONTROL_LIFETIME_SECONDS = 30
# Revocations are kept this long, so a grant must not live longer.
LIFETIME_LIMIT_SECONDS = 24 * 3600
TOKEN_LIMIT_CHARACTERS = 4096


class GrantInvalid(Exception):
    """An invalid token. `code` is the same for every cause; `reason` is for debug logs only."""

    def __init__(self, reason: str, code: str = "media.bad_token") -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The claims of a media token. Times are Unix seconds. Fractions are kept, so that a revocation and a new grant in
    the same second can be told apart. `sources` are the sources that a publisher may send."""

    sub: str
    jti: str
    session: str
    role: Role
    name: str
    node: str
    iat: float
    exp: float
    stage: Stage = ""
    sources: tuple[Source, ...] = SOURCES


def grant_sign(*, grant: Grant, secret: str) -> str:
    """Return a signed token for the grant."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": grant.sub,
        "jti": grant.jti,
        "session": grant.session,
        "role": grant.role,
        "name": grant.name,
        "node": grant.node,
        "stage": grant.stage,
        "sources": list(grant.sources),
        "iat": grant.iat,
        "exp": grant.exp,
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def grant_verify(*, token: str, secret: str, now: float | None = None) -> Grant:
    """Verify a token and return its grant. A grant is accepted until 60 s after its expiry. Raises GrantInvalid."""
    now = time.time() if now is None else now
    claims = _signed_claims(token=token, secret=secret, audience=AUDIENCE)
    grant = _grant_of(claims)
    if now > grant.exp + LEEWAY_SECONDS:
        raise GrantInvalid("expired")
    if grant.exp - grant.iat > LIFETIME_LIMIT_SECONDS or grant.iat > now + LEEWAY_SECONDS:
        raise GrantInvalid("lifetime")
    return grant


def control_sign(*, secret: str, node: str, now: float | None = None) -> str:
    """Return a token for the control API of one node, valid for 30 s."""
    now = time.time() if now is None else now
    claims = {"iss": ISSUER, "aud": CONTROL_AUDIENCE, "node": node, "iat": now, "exp": now + CONTROL_LIFETIME_SECONDS}
    return jwt.encode(claims, secret, algorithm="HS256")


def control_verify(*, token: str, secret: str, node: str, now: float | None = None) -> None:
    """Verify a control token for this node. Raises GrantInvalid."""
    now = time.time() if now is None else now
    claims = _signed_claims(token=token, secret=secret, audience=CONTROL_AUDIENCE)
    if claims.get("node") != node:
        raise GrantInvalid("node")
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    if now > expires or expires - issued > CONTROL_LIFETIME_SECONDS:
        raise GrantInvalid("expired")


def _signed_claims(*, token: str, secret: str, audience: str) -> dict[str, Any]:
    if len(token) > TOKEN_LIMIT_CHARACTERS:
        raise GrantInvalid("size")
    # The callers check expiry, because their leeway and clock differ from the library's.
    options: Any = {"verify_exp": False, "verify_iat": False, "require": ["iss", "aud", "iat", "exp"]}
    try:
        return jwt.decode(token, secret, algorithms=["HS256"], audience=audience, issuer=ISSUER, options=options)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise GrantInvalid(type(error).__name__) from None


def _grant_of(claims: dict[str, Any]) -> Grant:
    role = claims.get("role")
    if role not in ("publisher", "subscriber"):
        raise GrantInvalid("role")
    return Grant(
        sub=_text(claims, "sub"),
        jti=_text(claims, "jti"),
        session=_text(claims, "session"),
        role=cast(Role, role),
        name=_text(claims, "name", empty=True),
        node=_text(claims, "node", empty=True),
        iat=_time(claims, "iat"),
        exp=_time(claims, "exp"),
        stage=_stage(claims),
        sources=_sources(claims),
    )


def _text(claims: dict[str, Any], key: str, *, empty: bool = False) -> str:
    value = claims.get(key, "" if empty else None)
    if not isinstance(value, str) or len(value) > 255 or not (value or empty):
        raise GrantInvalid(key)
    return value


def _stage(claims: dict[str, Any]) -> Stage:
    value = claims.get("stage", "")
    if value not in STAGES:
        raise GrantInvalid("stage")
    return cast(Stage, value)


def _sources(claims: dict[str, Any]) -> tuple[Source, ...]:
    value = claims.get("sources", list(SOURCES))
    if not isinstance(value, list) or not all(source in SOURCES for source in value):
        raise GrantInvalid("sources")
    return tuple(source for source in SOURCES if source in value)


def _time(claims: dict[str, Any], key: str) -> float:
    value = claims.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise GrantInvalid(key)
    return float(value)
