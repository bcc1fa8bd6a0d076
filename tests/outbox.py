"""The outbox in tests: its waiting tasks, and the janitor's sweep some time from now."""

from datetime import timedelta

from django.utils import timezone

from livestream.models import OutboxTask
from livestream.outbox import outbox_sweep


def waiting(kind: str = "") -> list[str]:
    """Return the keys of the tasks whose calls are still to be made; of one kind, or of all."""
    tasks = OutboxTask.objects.filter(kind=kind) if kind else OutboxTask.objects.all()
    return sorted(tasks.values_list("key", flat=True))


def sweep(seconds: float = 0.0) -> int:
    """Run the sweep at this time from now; return the number of calls."""
    return outbox_sweep(now=timezone.now() + timedelta(seconds=seconds))
