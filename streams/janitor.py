"""Periodic work inside the web process, done by one process at a time."""

import asyncio
import logging
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from livestream.realtime import runtime
from streams.services.deliveries import deliveries_forget
from streams.services.media import media_reconcile
from streams.services.sweeps import lease_release, lease_take, sessions_expire

NAME = "sessions"
KEEP_DELIVERIES = timedelta(days=14)

logger = logging.getLogger(__name__)


async def janitor() -> None:
    """Sweep and reconcile until cancelled; then let another process do it."""
    holder = runtime.current().name
    try:
        while True:
            await asyncio.sleep(settings.JANITOR_SECONDS)
            await runtime.in_database(janitor_tick, holder)
    except asyncio.CancelledError:
        await asyncio.shield(runtime.in_database(lease_release, name=NAME, holder=holder))
        raise


def janitor_tick(holder: str) -> bool:
    """One round, if this process has the lease; whether it had."""
    now = timezone.now()
    if not lease_take(name=NAME, holder=holder, now=now):
        return False
    media_reconcile(now=now)
    sessions_expire(now=now)
    deliveries_forget(received_before=now - KEEP_DELIVERIES)
    return True
