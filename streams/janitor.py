"""Periodic work inside the web process, done by one process at a time."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Protocol

from django.conf import settings
from django.utils import timezone

from livestream.database import in_database
from livestream.outbox import outbox_sweep
from livestream.realtime import runtime
from streams.services.provider.cloud_reconcile import providers_reconcile
from streams.services.provider.node_reconcile import media_reconcile
from streams.services.provider.webhook_deliveries import deliveries_forget
from streams.services.show.sweeps import lease_release, lease_take, sessions_expire
from streams.services.stage.sweeps import guests_expire, requests_expire

NAME = "sessions"
KEEP_DELIVERIES = timedelta(days=14)

logger = logging.getLogger(__name__)


class Sweep(Protocol):
    """Periodic work, given the time."""

    __name__: str

    def __call__(self, *, now: datetime) -> object: ...


async def janitor(sweeps: tuple[Sweep, ...] = ()) -> None:
    """Sweep and reconcile until cancelled, then release the lease to another process. `sweeps` are those of other
    apps."""
    holder = runtime.current().name
    try:
        while True:
            await asyncio.sleep(settings.JANITOR_SECONDS)
            await in_database(janitor_tick, holder, sweeps)
    except asyncio.CancelledError:
        await asyncio.shield(in_database(lease_release, name=NAME, holder=holder))
        raise


def janitor_tick(holder: str, sweeps: tuple[Sweep, ...] = ()) -> bool:
    """Run all sweeps if this process holds the lease, and return whether it does. A failing sweep does not stop the
    others."""
    now = timezone.now()
    if not lease_take(name=NAME, holder=holder, now=now):
        return False
    own: tuple[Sweep, ...] = (
        media_reconcile,
        outbox_sweep,
        providers_reconcile,
        requests_expire,
        guests_expire,
        sessions_expire,
        _forget_deliveries,
    )
    for sweep in own + sweeps:
        try:
            sweep(now=now)
        except Exception:
            logger.exception("sweep failed, the next round tries again sweep=%s", sweep.__name__)
    return True


def _forget_deliveries(*, now: datetime) -> None:
    deliveries_forget(received_before=now - KEEP_DELIVERIES)
