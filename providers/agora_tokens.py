"""Strict construction of Agora tokens: validated input, no wildcards.

A token is for one channel and one uid, never for anyone; lives between a minute and a day; and allows publishing only
if the role does. Both formats are made from the same checked order.
"""

import re
import secrets
from dataclasses import dataclass
from typing import Literal

from providers import agora_006, agora_007
from providers.agora_007 import AccessToken2, RtcPrivilege, RtcService, RtmService, Service
from providers.interface import MediaRole

Version = Literal["007", "006"]
VERSIONS: tuple[Version, ...] = ("007", "006")
HEX_32 = re.compile(r"[0-9a-fA-F]{32}")
CHANNEL = re.compile(r"[a-zA-Z0-9 !#$%&()+\-:;<=.>?@\[\]^_{}|~,]{1,63}")
UID_MAX = 2**32 - 1
LIFETIME_MIN, LIFETIME_MAX = 60, 86_400
RTM_006_LOGIN = 1000


class OrderRefused(ValueError):
    """Invalid input for a token; names the field, never its value."""


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """The input of a token. `issued_at` is in Unix seconds, `lifetime` in seconds. Raises OrderRefused on creation."""

    app_id: str
    certificate: str
    channel: str
    uid: int
    role: MediaRole
    issued_at: int
    lifetime: int
    with_rtm: bool = False

    def __post_init__(self) -> None:
        checks = {
            "app_id": isinstance(self.app_id, str) and HEX_32.fullmatch(self.app_id) is not None,
            "certificate": isinstance(self.certificate, str) and HEX_32.fullmatch(self.certificate) is not None,
            "channel": isinstance(self.channel, str) and CHANNEL.fullmatch(self.channel) is not None,
            "uid": _whole(self.uid) and 1 <= self.uid <= UID_MAX,
            "role": isinstance(self.role, MediaRole),
            "issued_at": _whole(self.issued_at) and 0 < self.issued_at <= UID_MAX - LIFETIME_MAX,
            "lifetime": _whole(self.lifetime) and LIFETIME_MIN <= self.lifetime <= LIFETIME_MAX,
            "with_rtm": isinstance(self.with_rtm, bool),
        }
        for name, good in checks.items():
            if not good:
                raise OrderRefused(f"{name} is not valid")

    def privileges(self, expiry: int) -> dict[int, int]:
        """Return the privileges of the role, all with the same expiry."""
        granted = list(RtcPrivilege) if self.role == MediaRole.PUBLISHER else [RtcPrivilege.JOIN]
        return {int(privilege): expiry for privilege in granted}


def _whole(value: object) -> bool:
    """Return whether the value is an int and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def token_007(order: TokenOrder, *, salt: int | None = None) -> str:
    """Return a 007 token. With `with_rtm` it also grants the same uid signalling."""
    uid = str(order.uid)
    services: list[Service] = [RtcService(order.channel, uid, order.privileges(order.lifetime))]
    if order.with_rtm:
        services.append(RtmService(uid, {agora_007.RTM_LOGIN: order.lifetime}))
    token = AccessToken2(order.app_id, order.issued_at, order.lifetime, salt or _salt(), tuple(services))
    return token.signed(order.certificate)


def token_006(order: TokenOrder, *, salt: int | None = None) -> str:
    """Return a 006 token. Raises OrderRefused for signalling, which needs a separate token in this format."""
    if order.with_rtm:
        raise OrderRefused("with_rtm needs version 007")
    expires_at = order.issued_at + order.lifetime
    return agora_006.token_made(
        app_id=order.app_id,
        certificate=order.certificate,
        channel=order.channel,
        uid=str(order.uid),
        privileges=order.privileges(expires_at),
        expires_at=expires_at,
        salt=salt or _salt(),
    )


def token_in(version: Version, order: TokenOrder) -> str:
    """Return a token in the installation's format."""
    return token_007(order) if version == "007" else token_006(order)


def _salt() -> int:
    return secrets.randbelow(UID_MAX) + 1
