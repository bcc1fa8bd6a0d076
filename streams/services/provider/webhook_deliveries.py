"""Webhooks received: stored once, applied once, in any order."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from streams.models import ProviderDelivery

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
