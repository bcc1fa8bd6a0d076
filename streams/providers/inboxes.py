"""The webhooks of LiveKit, Agora, Daily and Mux: how each signs, and what each means."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

import jwt
from django.conf import settings

from streams.providers.inbox import (
    Happening,
    Inbox,
    MediaEvent,
    WebhookForged,
    WebhookMalformed,
    document_of,
    from_base64,
    from_hex,
    identified,
    moment,
    part,
    require_fresh,
    signed_by_any,
    text,
)
from streams.providers.livekit import is_person, may_publish

# The person that an encoder is, where a provider knows no people.
HOST = "host"
LEEWAY_SECONDS = 60


class LiveKitInbox:
    """A JWT in `Authorization`, without a scheme, whose claim `sha256` is the hash of the body."""

    MEANINGS = {
        "participant_joined": Happening.JOINED,
        "track_published": Happening.PUBLISHING,
        "participant_left": Happening.STOPPED,
        "participant_connection_aborted": Happening.STOPPED,
        "room_finished": Happening.ENDED,
    }

    def is_set_up(self) -> bool:
        """The key that makes tokens signs webhooks, too."""
        return bool(settings.LIVEKIT_API_KEY and settings.LIVEKIT_API_SECRET)

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: float) -> None:
        """The token is ours, not over, and names this body."""
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
        """An event of a room; the names of fields are those of JSON in protocol buffers."""
        document = document_of(body)
        person = part(document, "participant")
        name = text(document, "event", limit=60)
        return identified(
            MediaEvent(
                id=text(document, "id"),
                type=name,
                happening=self.MEANINGS.get(name, Happening.OTHER) if is_person(person) else Happening.OTHER,
                channel_id=text(part(document, "room"), "name"),
                uid=text(person, "identity"),
                at=moment(document.get("createdAt", document.get("created_at"))),
                publishes=True if name == "track_published" else may_publish(person),
            )
        )


class AgoraInbox:
    """`Agora-Signature-V2`: hex HMAC-SHA256 of the body, whose `notifyMs` says when it was sent."""

    MEANINGS: dict[int, tuple[Happening, bool | None]] = {
        102: (Happening.ENDED, None),
        103: (Happening.PUBLISHING, True),
        104: (Happening.STOPPED, None),
        105: (Happening.JOINED, False),
        106: (Happening.LEFT, None),
        107: (Happening.PUBLISHING, True),
        108: (Happening.STOPPED, None),
        111: (Happening.PUBLISHING, True),
        112: (Happening.STOPPED, None),
    }
    RTC = 1

    def is_set_up(self) -> bool:
        """There is a secret."""
        return bool(settings.AGORA_WEBHOOK_SECRET)

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: float) -> None:
        """The body is signed, and was sent a moment ago."""
        given = from_hex(headers.get("Agora-Signature-V2", ""))
        secrets = [secret.encode() for secret in settings.AGORA_WEBHOOK_SECRET]
        if not signed_by_any(secrets=secrets, data=body, given=[given]):
            raise WebhookForged("signature")
        sent = document_of(body).get("notifyMs")
        if isinstance(sent, bool) or not isinstance(sent, int):
            raise WebhookMalformed("no notifyMs")
        require_fresh(sent / 1000, now=now)

    def read(self, *, body: bytes) -> MediaEvent | None:
        """An event of a channel."""
        document = document_of(body)
        payload = part(document, "payload")
        kind = document.get("eventType")
        happening: Happening = Happening.OTHER
        publishes: bool | None = None
        if isinstance(kind, int) and document.get("productId") == self.RTC:
            happening, publishes = self.MEANINGS.get(kind, (happening, publishes))
        at = moment(payload["ts"]) if "ts" in payload else moment(document["notifyMs"] / 1000)
        return identified(
            MediaEvent(
                id=text(document, "noticeId"),
                type=text(document, "eventType", limit=60),
                happening=happening,
                channel_id=text(payload, "channelName"),
                uid=text(payload, "uid"),
                at=at,
                publishes=publishes,
            )
        )


class DailyInbox:
    """`X-Webhook-Signature`: base64 HMAC-SHA256 of `X-Webhook-Timestamp`, a dot and the body."""

    MEANINGS = {
        "participant.joined": Happening.JOINED,
        "participant.left": Happening.STOPPED,
        "meeting.ended": Happening.ENDED,
    }

    def is_set_up(self) -> bool:
        """There is a secret."""
        return bool(settings.DAILY_WEBHOOK_SECRET)

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: float) -> None:
        """The time and the body are signed, and the time is now."""
        stated = headers.get("X-Webhook-Timestamp", "")
        if not (stated.isascii() and stated.isdigit() and len(stated) <= 13):
            raise WebhookForged("time")
        secrets = [from_base64(secret) for secret in settings.DAILY_WEBHOOK_SECRET]
        given = from_base64(headers.get("X-Webhook-Signature", ""))
        if not signed_by_any(secrets=secrets, data=stated.encode() + b"." + body, given=[given]):
            raise WebhookForged("signature")
        require_fresh(int(stated), now=now)

    def read(self, *, body: bytes) -> MediaEvent | None:
        """An event of a meeting. While a webhook is being set up Daily sends a trial."""
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
                happening=self.MEANINGS.get(name, Happening.OTHER),
                channel_id=text(payload, "room"),
                uid=text(payload, "user_id"),
                at=moment(document.get("event_ts")),
                publishes=bool(sends) if sends is not None else None,
            )
        )


class MuxInbox:
    """`Mux-Signature`: `t=<seconds>,v1=<hex HMAC-SHA256 of t, a dot and the body>`."""

    # A live stream stays active while Mux waits for its encoder to come back.
    MEANINGS = {
        "video.live_stream.active": Happening.PUBLISHING,
        "video.live_stream.idle": Happening.STOPPED,
        "video.live_stream.disabled": Happening.ENDED,
        "video.live_stream.deleted": Happening.ENDED,
    }

    def is_set_up(self) -> bool:
        """There is a secret."""
        return bool(settings.MUX_WEBHOOK_SIGNING_SECRET)

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: float) -> None:
        """The time and the body are signed, and the time is now."""
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
        """An event of a live stream."""
        document = document_of(body)
        name = text(document, "type", limit=60)
        try:
            at = datetime.fromisoformat(text(document, "created_at"))
        except ValueError:
            raise WebhookMalformed("no time") from None
        happening = self.MEANINGS.get(name, Happening.OTHER)
        return identified(
            MediaEvent(
                id=text(document, "id"),
                type=name,
                happening=happening,
                channel_id=text(part(document, "data"), "passthrough"),
                uid=HOST if happening != Happening.OTHER else "",
                at=at if at.tzinfo else at.replace(tzinfo=UTC),
                publishes=True if happening == Happening.PUBLISHING else None,
            )
        )


INBOXES: dict[str, Inbox] = {
    "livekit": LiveKitInbox(),
    "agora": AgoraInbox(),
    "daily": DailyInbox(),
    "mux": MuxInbox(),
}
