"""What the webhooks of all providers share.

A parser verifies the raw body before anything reads it, and turns it into a `MediaEvent`. The body itself is not kept:
some carry secrets.
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
        """Whether a secret is configured."""

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: float) -> None:
        """Raises WebhookForged. `now` in Unix seconds."""

    def read(self, *, body: bytes) -> MediaEvent | None:
        """What a verified body says; None for a mere trial. Raises WebhookMalformed."""


def signed_by_any(*, secrets: list[bytes], data: bytes, given: list[bytes]) -> bool:
    """Whether one of the secrets made one of the HMAC-SHA256 signatures. Compares all, in constant time each."""
    good = False
    for secret in secrets:
        expected = hmac.digest(secret, data, hashlib.sha256)
        for signature in given:
            good |= hmac.compare_digest(expected, signature)
    return good


def require_fresh(moment: float, *, now: float) -> None:
    """Raises WebhookForged for what was signed too long ago, or in the future."""
    if not abs(now - moment) <= AGE_LIMIT_SECONDS:
        raise WebhookForged("age")


def from_hex(text: str) -> bytes:
    """The bytes. Raises WebhookForged."""
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        raise WebhookForged("hex") from None


def from_base64(text: str) -> bytes:
    """The bytes. Raises WebhookForged."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WebhookForged("base64") from None


def document_of(body: bytes) -> dict[str, Any]:
    """The JSON object. Raises WebhookMalformed."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookMalformed("no JSON") from None
    if not isinstance(document, dict):
        raise WebhookMalformed("no object")
    return document


def part(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A nested object; empty when missing."""
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def text(document: Mapping[str, Any], name: str, *, limit: int = 100) -> str:
    """A text or number as text, cut to `limit` characters; empty when missing."""
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)[:limit]


def moment(value: Any) -> datetime:
    """Unix seconds, as number or text, as a moment. Raises WebhookMalformed."""
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise WebhookMalformed("no time") from None


def identified(event: MediaEvent) -> MediaEvent:
    """The event. Raises WebhookMalformed without an id, which is needed to apply it once."""
    if not event.id:
        raise WebhookMalformed("no id")
    return event
