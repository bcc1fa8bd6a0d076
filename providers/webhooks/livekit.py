"""Webhooks of LiveKit."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

import jwt
from django.conf import settings

from providers.events import EventKind, MediaEvent
from providers.livekit import is_person, may_publish
from providers.webhooks.base import (
    WebhookForged,
    document_of,
    identified,
    moment,
    part,
    text,
)

LEEWAY_SECONDS = 60


class LiveKitWebhooks:
    """A JWT in `Authorization`, without a scheme, whose claim `sha256` is the hash of the body."""

    MEANINGS = {
        "participant_joined": EventKind.JOINED,
        "track_published": EventKind.PUBLISHING,
        "participant_left": EventKind.STOPPED,
        "participant_connection_aborted": EventKind.STOPPED,
        "room_finished": EventKind.ENDED,
    }

    def is_set_up(self) -> bool:
        """Return whether the API key is configured, which also signs webhooks."""
        return bool(settings.LIVEKIT_API_KEY and settings.LIVEKIT_API_SECRET)

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: float) -> None:
        """Verify the signature of the token, its expiry and its hash of the body. Raises WebhookForged."""
        options = {"require": ["exp", "iss"], "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            claims = jwt.decode(
                headers.get("Authorization", ""),
                settings.LIVEKIT_API_SECRET,
                algorithms=["HS256"],
                issuer=settings.LIVEKIT_API_KEY,
                options=options,  # type: ignore[arg-type]
            )
            expires, stated = float(claims["exp"]), str(claims.get("sha256", ""))
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise WebhookForged(type(error).__name__) from None
        if not now - LEEWAY_SECONDS <= expires <= now + 2 * 300 + LEEWAY_SECONDS:
            raise WebhookForged("age")
        actual = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if not hmac.compare_digest(stated.encode(), actual.encode()):
            raise WebhookForged("body")

    def read(self, *, body: bytes) -> MediaEvent | None:
        """Parse an event of a room. Field names are those of protobuf JSON."""
        document = document_of(body)
        person = part(document, "participant")
        name = text(document, "event", limit=60)
        return identified(
            MediaEvent(
                id=text(document, "id"),
                type=name,
                kind=self.MEANINGS.get(name, EventKind.OTHER) if is_person(person) else EventKind.OTHER,
                channel_id=text(part(document, "room"), "name"),
                uid=text(person, "identity"),
                at=moment(document.get("createdAt", document.get("created_at"))),
                publishes=True if name == "track_published" else may_publish(person),
            )
        )
