"""Webhooks received: stored once, applied once, in any order."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from livestream.errors import Invalid
from livestream.identifiers import as_uuid
from streams.models import ProviderDelivery, StreamSession
from streams.services.provider.host_presence import host_lost, host_seen
from streams.services.provider.participant_sync import guest_lost, guest_seen, node_started
from streams.services.stage.slots import slots_note

FORGOTTEN_AT_ONCE = 5000


def delivery_accept(
    *, provider: str, delivery_id: str, type: str, payload: dict[str, Any], apply: Callable[[], None], now: datetime
) -> bool:
    """Store a delivery and apply it in the same transaction. Return False if it is already known."""
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
    """Delete deliveries too old to be repeated, a limited number at a time. Return how many."""
    old = ProviderDelivery.objects.order_by().filter(received_at__lt=received_before)
    forgotten, _ = ProviderDelivery.objects.filter(pk__in=old.values("pk")[:FORGOTTEN_AT_ONCE]).delete()
    return forgotten


def builtin_report_apply(*, report: dict[str, Any]) -> None:
    """Apply a report of the media node to the presence of people. Unknown kinds change nothing."""
    kind = report.get("type")
    if kind == "node.started":
        node_started(node=str(report.get("node", "")))
    if kind not in ("publisher.connected", "publisher.lost"):
        return
    try:
        session_id = UUID(str(report["session"]))
        at = datetime.fromisoformat(str(report["at"]))
    except (KeyError, ValueError):
        raise Invalid("webhook.bad_shape", "The report names no session or time.") from None
    if at.tzinfo is None:
        raise Invalid("webhook.bad_shape", "The report's time has no zone.")
    # A show that moved elsewhere ignores reports of the node that it left.
    sessions = StreamSession.objects.filter(pk=session_id, provider="builtin")
    host_id = sessions.values_list("host_id", flat=True).first()
    user_id = as_uuid(report.get("user"))
    if host_id is None or user_id is None:
        return
    details = report.get("data")
    if isinstance(details, dict) and details.get("reason") == "replaced":
        return
    if user_id == host_id:
        (host_seen if kind == "publisher.connected" else host_lost)(session_id=session_id, at=at)
    else:
        (guest_seen if kind == "publisher.connected" else guest_lost)(session_id=session_id, user_id=user_id, at=at)


def slots_report_apply(*, report: dict[str, Any]) -> bool:
    """Store the reported tables of a room's tracks. Return whether they were new.

    Such reports are frequent and only the latest counts, so none is stored: each has a version, and an outdated one
    changes nothing.
    """
    try:
        session_id = UUID(str(report["session"]))
    except (KeyError, ValueError):
        raise Invalid("webhook.bad_shape", "The report names no session.") from None
    return slots_note(session_id=session_id, data=report.get("data"))
