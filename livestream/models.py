"""The kernel's only table: pending calls to external services."""

import uuid

from django.db import models
from django.db.models import Q


class OutboxTask(models.Model):
    """A call to an external service that a committed change requires, until it has been made.

    `key` is the subject of the call. There is one task per kind and key, and a newer one replaces it. `target` is the
    called service; while it does not respond, all its tasks wait.
    """

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=200)
    target = models.CharField(max_length=40)
    payload = models.JSONField(default=dict)
    revision = models.UUIDField(default=uuid.uuid4, help_text="Another one each time that the task is put anew.")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True, blank=True, help_text="A process is making the call.")
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)
    gave_up_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["kind", "key"], name="outbox_once")]
        indexes = [models.Index(fields=["target", "due_at"], condition=Q(gave_up_at__isnull=True), name="outbox_due")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
