"""Webhooks of Daily."""

from collections.abc import Mapping

from django.conf import settings

from providers.events import EventKind, MediaEvent
from providers.webhooks.base import (
    WebhookForged,
    document_of,
    from_base64,
    identified,
    moment,
    part,
    require_fresh,
    signed_by_any,
    text,
)


class DailyWebhooks:
    """`X-Webhook-Signature`: base64 HMAC-SHA256 of `X-Webhook-Timestamp`, a dot and the body."""

    MEANINGS = {
        "participant.joined": EventKind.JOINED,
        "participant.left": EventKind.STOPPED,
        "meeting.ended": EventKind.ENDED,
    }

    def is_set_up(self) -> bool:
        """Return whether a secret is configured."""
        return bool(settings.DAILY_WEBHOOK_SECRET)

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: float) -> None:
        """Verify the signature of time and body, and the time. Raises WebhookForged."""
        stated = headers.get("X-Webhook-Timestamp", "")
        if not (stated.isascii() and stated.isdigit() and len(stated) <= 13):
            raise WebhookForged("time")
        secrets = [from_base64(secret) for secret in settings.DAILY_WEBHOOK_SECRET]
        given = from_base64(headers.get("X-Webhook-Signature", ""))
        if not signed_by_any(secrets=secrets, data=stated.encode() + b"." + body, given=[given]):
            raise WebhookForged("signature")
        require_fresh(int(stated), now=now)

    def read(self, *, body: bytes) -> MediaEvent | None:
        """Parse an event of a meeting. Return None for the test that Daily sends during setup."""
        document = document_of(body)
        if document == {"test": "test"}:
            return None
        payload = part(document, "payload")
        sends = part(payload, "permissions").get("canSend")
        name = text(document, "type", limit=60)
        return identified(
            MediaEvent(
                id=text(document, "id"),
                type=name,
                kind=self.MEANINGS.get(name, EventKind.OTHER),
                channel_id=text(payload, "room"),
                uid=text(payload, "user_id"),
                at=moment(document.get("event_ts")),
                publishes=bool(sends) if sends is not None else None,
            )
        )
