"""Shared parts of the webhooks of all providers.

A parser verifies the raw body before parsing it into a `MediaEvent`. The body itself is not stored, because some
contain secrets.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from providers.events import MediaEvent

AGE_LIMIT_SECONDS = 300


class WebhookForged(Exception):
    """The signature is missing, wrong or too old."""


class WebhookMalformed(Exception):
    """The signature is valid, the body is not."""


class WebhookParser(Protocol):
    """Verifies and parses one provider's webhooks."""

    def is_set_up(self) -> bool:
        """Return whether a secret is configured."""

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: float) -> None:
        """Verify the signature. `now` is in Unix seconds. Raises WebhookForged."""

    def read(self, *, body: bytes) -> MediaEvent | None:
        """Parse a verified body. Return None for a test delivery. Raises WebhookMalformed."""


def signed_by_any(*, secrets: list[bytes], data: bytes, given: list[bytes]) -> bool:
    """Return whether one of the secrets made one of the HMAC-SHA256 signatures. Compares all, each in constant time."""
    good = False
    for secret in secrets:
        expected = hmac.digest(secret, data, hashlib.sha256)
        for signature in given:
            good |= hmac.compare_digest(expected, signature)
    return good


def require_fresh(moment: float, *, now: float) -> None:
    """Raise WebhookForged if the signature is too old, or from the future."""
    if not abs(now - moment) <= AGE_LIMIT_SECONDS:
        raise WebhookForged("age")


def from_hex(text: str) -> bytes:
    """Decode hexadecimal text. Raises WebhookForged."""
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        raise WebhookForged("hex") from None


def from_base64(text: str) -> bytes:
    """Decode base64 text. Raises WebhookForged."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WebhookForged("base64") from None


def document_of(body: bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises WebhookMalformed."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookMalformed("no JSON") from None
    if not isinstance(document, dict):
        raise WebhookMalformed("no object")
    return document


def part(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a nested object, or an empty one if missing."""
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def text(document: Mapping[str, Any], name: str, *, limit: int = 100) -> str:
    """Return a text or number as text, cut to `limit` characters; empty if missing."""
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)[:limit]


def moment(value: Any) -> datetime:
    """Convert Unix seconds, as number or text, to a datetime. Raises WebhookMalformed."""
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise WebhookMalformed("no time") from None


def identified(event: MediaEvent) -> MediaEvent:
    """Return the event. Raises WebhookMalformed without an id, which is needed to apply it once."""
    if not event.id:
        raise WebhookMalformed("no id")
    return event
