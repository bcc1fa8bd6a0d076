"""The outbox: calls to somebody outside (a provider, a webhook, mail) that follow from a committed change.

1. `outbox_put` writes a task in the transaction of the change, so neither exists without the other.
2. `outbox_deliver` makes the call right after the commit; the janitor's `outbox_sweep` repeats what failed, or what a
   process that died never began.
3. A handler makes the call. It gets the task's payload and reads the state of that moment: tasks about the same thing
   become one, and making a call twice does no harm.

A task is claimed while its call is made, so calls about one thing never overtake each other.
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
# Longer than a call takes, with its own repetitions. A process that dies during one leaves the task to others then.
CLAIM = timedelta(seconds=30)
AT_ONCE, SWEEP_SECONDS = 100, 2.0

_RENEWED = ("target", "payload", "revision", "created_at", "due_at", "attempts", "last_error", "gave_up_at")

Handler = Callable[[dict[str, Any]], None]

_handlers: dict[str, Handler] = {}
# Targets that did not answer the last sweep. Kept by the process that sweeps; asking in another order does no harm.
_silent: set[str] = set()
logger = logging.getLogger(__name__)


def outbox_handler(kind: str) -> Callable[[Handler], Handler]:
    """Register the function that makes the calls of a kind. It raises ProviderError where one fails, and returns where
    nothing has to be called any more."""

    def register(handler: Handler) -> Handler:
        _handlers[kind] = handler
        return handler

    return register


def outbox_put(*, kind: str, key: str, target: str, payload: dict[str, Any], now: datetime) -> None:
    """Have a call made once the running transaction has committed; one that waits for the same key is replaced."""
    task = OutboxTask(kind=kind, key=key, target=target, payload=payload, created_at=now, due_at=now)
    OutboxTask.objects.bulk_create([task], update_conflicts=True, unique_fields=["kind", "key"], update_fields=_RENEWED)


def outbox_deliver(*, kind: str, keys: Iterable[str]) -> None:
    """Make the calls of these tasks, after the commit. What takes too long or does not answer is left to the sweep."""
    silent: set[str] = set()
    until = time.monotonic() + SWEEP_SECONDS
    rows = OutboxTask.objects.filter(kind=kind, key__in=list(keys), gave_up_at__isnull=True)
    for pk, target in list(rows.order_by("due_at", "pk").values_list("pk", "target")):
        if time.monotonic() > until:
            return
        if target not in silent and not _deliver(pk, timezone.now()):
            silent.add(target)


def outbox_waits(*, kind: str, key: str) -> bool:
    """Whether a call about this has still to be made."""
    return OutboxTask.objects.filter(kind=kind, key=key).exists()


def outbox_retry(*, tasks: QuerySet[OutboxTask]) -> int:
    """Have the next sweep make these calls, given up or not; how many."""
    now = timezone.now()
    return tasks.update(due_at=now, created_at=now, attempts=0, gave_up_at=None)


def outbox_sweep(*, now: datetime) -> int:
    """Make the calls that are due; how many were made. A target that does not answer is asked once, and last."""
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
    """Make one call; again, where the task was put anew meanwhile. False when its target did not answer."""
    rows = OutboxTask.objects.filter(pk=pk)
    while True:
        with transaction.atomic(durable=True):  # raises inside another transaction: no call is made there
            claimed = rows.filter(_free(now)).update(claimed_until=now + CLAIM)
        task = rows.first()
        if not claimed or task is None:
            return True  # somebody else makes it, and sees a newer one when done
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
    except Exception as error:  # a handler's own fault must not hold up other tasks
        logger.exception("outbox: handler failed kind=%s key=%s", task.kind, task.key)
        return error
    OUTBOX.labels(task.kind, "done").inc()
    return None


def _is_permanent(error: Exception) -> bool:
    return not isinstance(error, ProviderError) or error.permanent


def _put_off(same: QuerySet[OutboxTask], task: OutboxTask, error: Exception, now: datetime) -> int:
    """When to call again: after a refusal in a minute, since a key may just be being changed; else soon, then later."""
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
