"""Webhooks of Mux."""

from collections.abc import Mapping
from datetime import UTC, datetime

from django.conf import settings

from providers.events import HOST_UID, EventKind, MediaEvent
from providers.webhooks.base import (
    WebhookForged,
    WebhookMalformed,
    document_of,
    from_hex,
    identified,
    part,
    require_fresh,
    signed_by_any,
    text,
)


class MuxWebhooks:
    """`Mux-Signature`: `t=<seconds>,v1=<hex HMAC-SHA256 of t, a dot and the body>`."""

    # A live stream stays active while Mux waits for its encoder to return.
    MEANINGS = {
        "video.live_stream.active": EventKind.PUBLISHING,
        "video.live_stream.idle": EventKind.STOPPED,
        "video.live_stream.disabled": EventKind.ENDED,
        "video.live_stream.deleted": EventKind.ENDED,
    }

    def is_set_up(self) -> bool:
        """Return whether a secret is configured."""
        return bool(settings.MUX_WEBHOOK_SIGNING_SECRET)

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: float) -> None:
        """Verify the signature of time and body, and the time. Raises WebhookForged."""
        parts = [entry.strip().partition("=") for entry in headers.get("Mux-Signature", "")[:1000].split(",")]
        times = [value for name, _, value in parts if name == "t"]
        given = [from_hex(value) for name, _, value in parts if name == "v1"]
        if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12) or not given:
            raise WebhookForged("header")
        secrets = [secret.encode() for secret in settings.MUX_WEBHOOK_SIGNING_SECRET]
        if not signed_by_any(secrets=secrets, data=times[0].encode() + b"." + body, given=given):
            raise WebhookForged("signature")
        require_fresh(int(times[0]), now=now)

    def read(self, *, body: bytes) -> MediaEvent | None:
        """Parse an event of a live stream."""
        document = document_of(body)
        name = text(document, "type", limit=60)
        try:
            at = datetime.fromisoformat(text(document, "created_at"))
        except ValueError:
            raise WebhookMalformed("no time") from None
        event_kind = self.MEANINGS.get(name, EventKind.OTHER)
        return identified(
            MediaEvent(
                id=text(document, "id"),
                type=name,
                kind=event_kind,
                channel_id=text(part(document, "data"), "passthrough"),
                uid=HOST_UID if event_kind != EventKind.OTHER else "",
                at=at if at.tzinfo else at.replace(tzinfo=UTC),
                publishes=True if event_kind == EventKind.PUBLISHING else None,
            )
        )
