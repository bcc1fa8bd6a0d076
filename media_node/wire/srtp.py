"""SRTP keys from a completed DTLS handshake (RFC 5764 section 4.2, RFC 7714 section 12)."""

from __future__ import annotations

from dataclasses import dataclass

import pylibsrtp
from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session

# pylibsrtp has a buffer of 1500 bytes and reserves 144 of them for the trailer. Without master key identifiers, which
# are not used here, the trailer is a tag of 16 bytes. With this value, packets up to an MTU of 1500 bytes fit.
pylibsrtp.SRTP_MAX_TRAILER_LEN = 16
DATAGRAM_LIMIT_BYTES = 1500
# Header with abs-send-time 20 bytes, RTX sequence number 2, tag 16.
PAYLOAD_LIMIT_BYTES = DATAGRAM_LIMIT_BYTES - 38
_REPLAY_WINDOW = 1024


@dataclass(frozen=True, slots=True)
class SrtpProfile:
    """A protection profile: its DTLS name, libsrtp's number, and the sizes of key and salt in bytes."""

    name: bytes
    number: int
    key_bytes: int
    salt_bytes: int

    @property
    def exported_bytes(self) -> int:
        """Bytes of keying material for both directions."""
        return 2 * (self.key_bytes + self.salt_bytes)


def _available(profiles: tuple[SrtpProfile, ...]) -> tuple[SrtpProfile, ...]:
    usable = []
    for profile in profiles:
        try:
            Policy(srtp_profile=profile.number)
        except SrtpError:
            continue
        usable.append(profile)
    return tuple(usable)


# In order of preference. A libsrtp built without OpenSSL has no GCM.
PROFILES = _available(
    (
        SrtpProfile(b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
        SrtpProfile(b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
    )
)


@dataclass(frozen=True, slots=True)
class SrtpPair:
    """One SRTP session per direction."""

    inbound: Session
    outbound: Session


def srtp_sessions(*, material: bytes, profile: SrtpProfile, is_client: bool) -> SrtpPair:
    """Create both sessions from the exported material: client key, server key, client salt, server salt."""
    key, salt = profile.key_bytes, profile.salt_bytes
    client = material[:key] + material[2 * key : 2 * key + salt]
    server = material[key : 2 * key] + material[2 * key + salt : 2 * (key + salt)]
    ours, theirs = (client, server) if is_client else (server, client)
    return SrtpPair(
        inbound=_session(key=theirs, profile=profile, ssrc_type=Policy.SSRC_ANY_INBOUND),
        outbound=_session(key=ours, profile=profile, ssrc_type=Policy.SSRC_ANY_OUTBOUND),
    )


def _session(*, key: bytes, profile: SrtpProfile, ssrc_type: int) -> Session:
    policy = Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile.number)
    policy.window_size = _REPLAY_WINDOW
    # Retransmissions without RTX repeat a packet unchanged.
    policy.allow_repeat_tx = True
    return Session(policy)
