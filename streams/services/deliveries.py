"""Webhooks that came in: stored once, applied once, in any order."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from livestream.errors import Invalid
from streams.models import ProviderDelivery, StreamSession
from streams.services.media import host_lost, host_seen


def delivery_accept(
    *, provider: str, delivery_id: str, type: str, payload: dict[str, Any], apply: Callable[[], None], now: datetime
) -> bool:
    """Store a delivery and apply it in the same transaction; False for one that is known already."""
    with transaction.atomic():
        _, made = ProviderDelivery.objects.get_or_create(
            provider=provider,
            delivery_id=delivery_id,
            defaults={"type": type, "payload": payload, "received_at": now, "applied_at": now},
        )
        if made:
            apply()
    return made


def deliveries_forget(*, received_before: datetime) -> int:
    """Drop what nobody will deliver again; how many."""
    forgotten, _ = ProviderDelivery.objects.filter(received_at__lt=received_before).delete()
    return forgotten


def builtin_report_apply(*, report: dict[str, Any]) -> None:
    """What the media node reports changes who is there. Reports about other people and kinds change nothing yet."""
    kind = report.get("type")
    if kind not in ("publisher.connected", "publisher.lost"):
        return
    try:
        session_id = UUID(str(report["session"]))
        at = datetime.fromisoformat(str(report["at"]))
    except (KeyError, ValueError):
        raise Invalid("webhook.bad_shape", "The report names no session or time.") from None
    if at.tzinfo is None:
        raise Invalid("webhook.bad_shape", "The report's time has no zone.")
    host_id = StreamSession.objects.filter(pk=session_id).values_list("host_id", flat=True).first()
    if host_id is None or str(host_id) != str(report.get("user")):
        return
    details = report.get("data")
    if isinstance(details, dict) and details.get("reason") == "replaced":
        return
    (host_seen if kind == "publisher.connected" else host_lost)(session_id=session_id, at=at)
