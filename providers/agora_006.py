"""Agora's older token 006, created by Agora's package with strictly checked input, and parsed here.

The package turns any input into a well-formed token: unknown roles, uid 0 (valid for anyone), durations in place of
timestamps. This module checks all input. Expiries are Unix seconds.
"""

import base64
import binascii
import hashlib
import hmac
import zlib
from dataclasses import dataclass

from agora_token_builder.AccessToken import AccessToken

from providers.agora_bytes import Reader, TokenMalformed, privilege_map, uint32

VERSION = "006"
APP_ID_LENGTH = 32
TOKEN_LIMIT_CHARACTERS = 8 * 1024


@dataclass(frozen=True, slots=True)
class Token006:
    """The contents of a token. Channel and uid are included only as checksums."""

    app_id: str
    salt: int
    expires_at: int
    privileges: dict[int, int]
    channel_crc: int
    uid_crc: int
    signature: bytes

    def message(self) -> bytes:
        """Return the part that is signed together with app, channel and uid."""
        return uint32(self.salt) + uint32(self.expires_at) + privilege_map(self.privileges)


def token_made(
    *, app_id: str, certificate: str, channel: str, uid: str, privileges: dict[int, int], expires_at: int, salt: int
) -> str:
    """Return a token. Its overall expiry, which the package sets a day ahead, is `expires_at`."""
    token = AccessToken(app_id, certificate, channel, uid)
    token.salt, token.ts = salt, expires_at
    for privilege, expiry in privileges.items():
        token.addPrivilege(privilege, expiry)
    made: str = token.build()
    return made


def token_read(token: str) -> Token006:
    """Parse the unverified contents. Raises TokenMalformed."""
    start = len(VERSION) + APP_ID_LENGTH
    if not token.startswith(VERSION) or not start < len(token) <= TOKEN_LIMIT_CHARACTERS:
        raise TokenMalformed("not a token of this version")
    try:
        reader = Reader(base64.b64decode(token[start:], validate=True))
    except (binascii.Error, ValueError):
        raise TokenMalformed("not base64") from None
    signature, channel_crc, uid_crc = reader.string(), reader.uint32(), reader.uint32()
    message = Reader(reader.string())
    salt, expires_at, privileges = message.uint32(), message.uint32(), message.privilege_map()
    if reader.rest() or message.rest():
        raise TokenMalformed("something follows")
    return Token006(token[len(VERSION) : start], salt, expires_at, privileges, channel_crc, uid_crc, signature)


def token_verified(*, token: str, certificate: str, channel: str, uid: str, now: int) -> Token006:
    """Return the contents of a token that is signed for this channel and uid and currently valid. Raises
    TokenMalformed."""
    contents = token_read(token)
    signed = contents.app_id.encode() + channel.encode() + uid.encode() + contents.message()
    if not hmac.compare_digest(contents.signature, hmac.digest(certificate.encode(), signed, hashlib.sha256)):
        raise TokenMalformed("the signature is not ours")
    if (contents.channel_crc, contents.uid_crc) != (zlib.crc32(channel.encode()), zlib.crc32(uid.encode())):
        raise TokenMalformed("for another channel or uid")
    if now >= contents.expires_at:
        raise TokenMalformed("not valid any more")
    return contents
