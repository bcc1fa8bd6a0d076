"""Random names that nobody can guess; all of them are made here."""

import secrets
from uuid import UUID


def channel_name() -> str:
    """The media channel of a session, 128 bits, usable with every provider (letters, digits, dashes)."""
    return f"live-{secrets.token_hex(16)}"


def epoch_name() -> str:
    """The epoch of a room's sequence numbers."""
    return secrets.token_hex(4)


def process_name() -> str:
    """This process, for leases."""
    return secrets.token_hex(8)


def connection_name() -> str:
    """One socket, for presence."""
    return secrets.token_hex(8)


def secret_token() -> str:
    """A secret to hand out once; 256 bits."""
    return secrets.token_urlsafe(32)


def as_uuid(value: object) -> UUID | None:
    """Parse an untrusted id; None if it is not valid."""
    try:
        return UUID(str(value))
    except ValueError:
        return None
