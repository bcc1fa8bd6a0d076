"""Webhooks of Agora."""

from collections.abc import Mapping

from django.conf import settings

from providers.events import EventKind, MediaEvent
from providers.webhooks.base import (
    WebhookForged,
    WebhookMalformed,
    document_of,
    from_hex,
    identified,
    moment,
    part,
    require_fresh,
    signed_by_any,
    text,
)


class AgoraWebhooks:
    """`Agora-Signature-V2`: hex HMAC-SHA256 of the body, which has its sending time in `notifyMs`."""

    MEANINGS: dict[int, tuple[EventKind, bool | None]] = {
        102: (EventKind.ENDED, None),
        103: (EventKind.PUBLISHING, True),
        104: (EventKind.STOPPED, None),
        105: (EventKind.JOINED, False),
        106: (EventKind.LEFT, None),
        107: (EventKind.PUBLISHING, True),
        108: (EventKind.STOPPED, None),
        111: (EventKind.PUBLISHING, True),
        112: (EventKind.STOPPED, None),
    }
    RTC = 1

    def is_set_up(self) -> bool:
        """Return whether a secret is configured."""
        return bool(settings.AGORA_WEBHOOK_SECRET)

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: float) -> None:
        """Verify the signature and the age of the body. Raises WebhookForged."""
        given = from_hex(headers.get("Agora-Signature-V2", ""))
        secrets = [secret.encode() for secret in settings.AGORA_WEBHOOK_SECRET]
        if not signed_by_any(secrets=secrets, data=body, given=[given]):
            raise WebhookForged("signature")
        sent = document_of(body).get("notifyMs")
        if isinstance(sent, bool) or not isinstance(sent, int):
            raise WebhookMalformed("no notifyMs")
        require_fresh(sent / 1000, now=now)

    def read(self, *, body: bytes) -> MediaEvent | None:
        """Parse an event of a channel."""
        document = document_of(body)
        payload = part(document, "payload")
        kind = document.get("eventType")
        event_kind: EventKind = EventKind.OTHER
        publishes: bool | None = None
        if isinstance(kind, int) and document.get("productId") == self.RTC:
            event_kind, publishes = self.MEANINGS.get(kind, (event_kind, publishes))
        at = moment(payload["ts"]) if "ts" in payload else moment(document["notifyMs"] / 1000)
        return identified(
            MediaEvent(
                id=text(document, "noticeId"),
                type=text(document, "eventType", limit=60),
                kind=event_kind,
                channel_id=text(payload, "channelName"),
                uid=text(payload, "uid"),
                at=at,
                publishes=publishes,
            )
        )
