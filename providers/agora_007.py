"""Writing and parsing of Agora's token 007 (AccessToken2).

A token is `007` and base64 of the deflated signature and body. The body holds the app, the time of issue, the lifetime,
a salt, and one entry per service. Expiries are seconds since the time of issue, unlike in 006. Reference: the
AccessToken2 sources of Agora's own token repository, whose vectors the tests reproduce.
"""

import base64
import binascii
import hashlib
import hmac
import zlib
from dataclasses import dataclass
from enum import IntEnum

from providers.agora_bytes import Reader, TokenMalformed, privilege_map, string, uint16, uint32

VERSION = "007"
# A body has at most one channel name and one account. Anything that inflates to more is a decompression bomb.
INFLATED_LIMIT_BYTES = 16 * 1024
TOKEN_LIMIT_CHARACTERS = 8 * 1024


class ServiceType(IntEnum):
    """The service that a token is for."""

    RTC = 1
    RTM = 2


class RtcPrivilege(IntEnum):
    """Privileges in a channel."""

    JOIN = 1
    PUBLISH_AUDIO = 2
    PUBLISH_VIDEO = 3
    PUBLISH_DATA = 4


RTM_LOGIN = 1


@dataclass(frozen=True, slots=True)
class RtcService:
    """Media of one channel for one uid. An empty `uid` would be valid for anyone."""

    channel: str
    uid: str
    privileges: dict[int, int]

    def packed(self) -> bytes:
        """Return the bytes of the entry."""
        head = uint16(ServiceType.RTC) + privilege_map(self.privileges)
        return head + string(self.channel.encode()) + string(self.uid.encode())


@dataclass(frozen=True, slots=True)
class RtmService:
    """Signalling for one account."""

    account: str
    privileges: dict[int, int]

    def packed(self) -> bytes:
        """Return the bytes of the entry."""
        return uint16(ServiceType.RTM) + privilege_map(self.privileges) + string(self.account.encode())


Service = RtcService | RtmService


@dataclass(frozen=True, slots=True)
class AccessToken2:
    """The contents of a token. `issued_at` is in Unix seconds, `lifetime` in seconds from then."""

    app_id: str
    issued_at: int
    lifetime: int
    salt: int
    services: tuple[Service, ...]

    def body(self) -> bytes:
        """Return the signed bytes."""
        ordered = sorted(self.services, key=lambda service: service.packed()[:2])
        head = string(self.app_id.encode()) + uint32(self.issued_at) + uint32(self.lifetime) + uint32(self.salt)
        return head + uint16(len(ordered)) + b"".join(service.packed() for service in ordered)

    def signature(self, certificate: str) -> bytes:
        """Return the HMAC-SHA256 of the body, with a key derived from certificate, time and salt."""
        # The numbers are the keys and the certificate is the message, not the other way round.
        first = hmac.digest(uint32(self.issued_at), certificate.encode(), hashlib.sha256)
        key = hmac.digest(uint32(self.salt), first, hashlib.sha256)
        return hmac.digest(key, self.body(), hashlib.sha256)

    def signed(self, certificate: str) -> str:
        """Return the signed token."""
        payload = string(self.signature(certificate)) + self.body()
        return VERSION + base64.b64encode(zlib.compress(payload)).decode()


def token_inflated(token: str) -> bytes:
    """Return signature and body of a token. Raises TokenMalformed. Different zlibs may deflate the same bytes
    differently."""
    if not token.startswith(VERSION) or len(token) > TOKEN_LIMIT_CHARACTERS:
        raise TokenMalformed("not a token of this version")
    inflater = zlib.decompressobj()
    try:
        deflated = base64.b64decode(token[len(VERSION) :], validate=True)
        payload = inflater.decompress(deflated, INFLATED_LIMIT_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise TokenMalformed(type(error).__name__) from None
    if not inflater.eof:
        raise TokenMalformed("longer than any token")
    return payload


def token_read(token: str) -> tuple[AccessToken2, bytes]:
    """Parse the unverified contents and the signature. Raises TokenMalformed."""
    reader = Reader(token_inflated(token))
    signature = reader.string()
    try:
        app_id = reader.string().decode()
        issued_at, lifetime, salt, count = reader.uint32(), reader.uint32(), reader.uint32(), reader.uint16()
        services = tuple(_service(reader) for _ in range(count))
    except UnicodeDecodeError:
        raise TokenMalformed("not text") from None
    if reader.rest():
        raise TokenMalformed("something follows")
    return AccessToken2(app_id, issued_at, lifetime, salt, services), signature


def _service(reader: Reader) -> Service:
    kind = reader.uint16()
    privileges = reader.privilege_map()
    if kind == ServiceType.RTC:
        return RtcService(reader.string().decode(), reader.string().decode(), privileges)
    if kind == ServiceType.RTM:
        return RtmService(reader.string().decode(), privileges)
    raise TokenMalformed(f"unsupported service {kind}")


def token_verified(*, token: str, certificate: str, now: int) -> AccessToken2:
    """Verify a token with the certificate and the current time, and return its contents. Raises TokenMalformed."""
    contents, signature = token_read(token)
    if not hmac.compare_digest(signature, contents.signature(certificate)):
        raise TokenMalformed("the signature is not ours")
    if not contents.issued_at <= now < contents.issued_at + contents.lifetime:
        raise TokenMalformed("not valid at this time")
    return contents
