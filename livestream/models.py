"""The kernel's one table: what has still to be told to somebody outside."""

import uuid

from django.db import models
from django.db.models import Q


class OutboxTask(models.Model):
    """One call to somebody outside that a committed change made necessary, until it has been made.

    `key` says what the task is about, and there is one task of a kind for it: a newer one replaces it. `target` is who
    is called; tasks of one target wait together while it does not answer.
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
