"""Random identifiers that cannot be guessed. All of them are made here."""

import secrets
from uuid import UUID


def channel_name() -> str:
    """Return a session's media channel: 128 bits, valid with all providers (letters, digits, dashes)."""
    return f"live-{secrets.token_hex(16)}"


def epoch_name() -> str:
    """Return an epoch of a room's sequence numbers."""
    return secrets.token_hex(4)


def process_name() -> str:
    """Return a name of this process for leases."""
    return secrets.token_hex(8)


def connection_name() -> str:
    """Return a name of one socket for presence."""
    return secrets.token_hex(8)


def secret_token() -> str:
    """Return a secret of 256 bits that is shown only once."""
    return secrets.token_urlsafe(32)


def as_uuid(value: object) -> UUID | None:
    """Parse an untrusted id. Return None if it is not valid."""
    try:
        return UUID(str(value))
    except ValueError:
        return None
