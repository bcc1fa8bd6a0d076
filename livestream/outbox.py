"""The outbox: calls to external services that follow from a committed change. All present handlers call providers.

1. `outbox_put` writes a task in the transaction of the change, so neither exists without the other.
2. `outbox_deliver` makes the call right after the commit. The janitor's `outbox_sweep` retries failed calls and those
   that a dead process never began.
3. A handler makes the call. It gets the task's payload and reads the current state, so tasks about the same subject
   merge into one, and repeating a call is harmless.

A task is claimed during its call, so calls about one subject never overtake each other.
"""

import logging
import random
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from livestream.errors import ProviderError, ProviderUnreachable, ProviderUnsupported
from livestream.metrics import OUTBOX
from livestream.models import OutboxTask

FIRST_DELAY, LONGEST_DELAY, REFUSED_DELAY = 1.0, 15.0, 60.0
GIVE_UP_AFTER, KEEP_GIVEN_UP = timedelta(days=1), timedelta(days=30)
# Longer than a call takes, with its own retries. After that, the task of a dead process is free for others.
CLAIM = timedelta(seconds=30)
AT_ONCE, SWEEP_SECONDS = 100, 2.0

_RENEWED = ("target", "payload", "revision", "created_at", "due_at", "attempts", "last_error", "gave_up_at")

Handler = Callable[[dict[str, Any]], None]

_handlers: dict[str, Handler] = {}
# Targets that did not respond in the last sweep. Local to the sweeping process, and used only to order the targets.
_silent: set[str] = set()
logger = logging.getLogger(__name__)


def outbox_handler(kind: str) -> Callable[[Handler], Handler]:
    """Register the function that makes the calls of a kind. It raises ProviderError if a call fails, and returns if
    none is needed any more."""

    def register(handler: Handler) -> Handler:
        _handlers[kind] = handler
        return handler

    return register


def outbox_put(*, kind: str, key: str, target: str, payload: dict[str, Any], now: datetime) -> None:
    """Schedule a call for after the running transaction's commit. It replaces a pending call with the same key."""
    task = OutboxTask(kind=kind, key=key, target=target, payload=payload, created_at=now, due_at=now)
    OutboxTask.objects.bulk_create([task], update_conflicts=True, unique_fields=["kind", "key"], update_fields=_RENEWED)


def outbox_deliver(*, kind: str, keys: Iterable[str]) -> None:
    """Make the calls of these tasks, after the commit. Slow and failed calls are left to the sweep."""
    silent: set[str] = set()
    until = time.monotonic() + SWEEP_SECONDS
    rows = OutboxTask.objects.filter(kind=kind, key__in=list(keys), gave_up_at__isnull=True)
    for pk, target in list(rows.order_by("due_at", "pk").values_list("pk", "target")):
        if time.monotonic() > until:
            return
        if target not in silent and not _deliver(pk, timezone.now()):
            silent.add(target)


def outbox_is_pending(*, kind: str, key: str) -> bool:
    """Return whether a call with this key is pending."""
    return OutboxTask.objects.filter(kind=kind, key=key).exists()


def outbox_retry(*, tasks: QuerySet[OutboxTask]) -> int:
    """Schedule these calls for the next sweep, including those that were given up. Return their number."""
    now = timezone.now()
    return tasks.update(due_at=now, created_at=now, attempts=0, gave_up_at=None)


def outbox_sweep(*, now: datetime) -> int:
    """Make the due calls and return how many were made. A target that does not respond is called once, and last."""
    OutboxTask.objects.filter(gave_up_at__lt=now - KEEP_GIVEN_UP).delete()
    due = OutboxTask.objects.filter(_free(now), due_at__lte=now, gave_up_at__isnull=True)
    targets = set(due.order_by().values_list("target", flat=True).distinct())
    made = 0
    for target in sorted(targets, key=lambda one: one in _silent):
        _silent.discard(target)
        until = time.monotonic() + SWEEP_SECONDS
        for pk in list(due.filter(target=target).order_by("due_at", "pk").values_list("pk", flat=True)[:AT_ONCE]):
            if time.monotonic() > until:
                break
            if not _deliver(pk, now):
                _silent.add(target)
                break
            made += 1
    return made


def _free(now: datetime) -> Q:
    return Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)


def _deliver(pk: int, now: datetime) -> bool:
    """Make one call, and again if the task was replaced meanwhile. Return False if its target did not respond."""
    rows = OutboxTask.objects.filter(pk=pk)
    while True:
        with transaction.atomic(durable=True):  # raises inside another transaction, where no call may be made
            claimed = rows.filter(_free(now)).update(claimed_until=now + CLAIM)
        task = rows.first()
        if not claimed or task is None:
            return True  # another process makes the call, and checks for a newer task when done
        same = rows.filter(revision=task.revision)
        error = _call(task)
        if same.delete()[0] if error is None else _put_off(same, task, error, now):
            return error is None or _is_permanent(error)
        rows.update(claimed_until=None)


def _call(task: OutboxTask) -> Exception | None:
    try:
        handler = _handlers[task.kind]
        handler(task.payload)
    except ProviderUnsupported as error:
        logger.info("outbox: not possible there kind=%s key=%s error=%s", task.kind, task.key, error)
    except ProviderError as error:
        logger.warning("outbox: call failed kind=%s key=%s error=%s", task.kind, task.key, error)
        return error
    except Exception as error:  # a bug in a handler must not block other tasks
        logger.exception("outbox: handler failed kind=%s key=%s", task.kind, task.key)
        return error
    OUTBOX.labels(task.kind, "done").inc()
    return None


def _is_permanent(error: Exception) -> bool:
    return not isinstance(error, ProviderError) or error.permanent


def _put_off(same: QuerySet[OutboxTask], task: OutboxTask, error: Exception, now: datetime) -> int:
    """Schedule a retry: a refusal after a minute, because a key may just be changing; others soon, then less often."""
    gives_up = now - task.created_at > GIVE_UP_AFTER
    wait = REFUSED_DELAY if _is_permanent(error) else min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(task.attempts, 10))
    if isinstance(error, ProviderUnreachable):
        wait = max(wait, min(error.retry_after, LONGEST_DELAY))
    OUTBOX.labels(task.kind, "given_up" if gives_up else "failed").inc()
    if gives_up:
        logger.error("outbox: gave up kind=%s key=%s error=%s", task.kind, task.key, error)
    return same.update(
        attempts=task.attempts + 1,
        claimed_until=None,
        due_at=now + timedelta(seconds=wait * random.uniform(1.0, 1.25)),  # noqa: S311 - jitter
        last_error=str(error)[:200],
        gave_up_at=now if gives_up else None,
    )
