"""Issued credentials. Only the SHA-256 of a secret is stored."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from streams.models import StreamSession


class IssuedToken(models.Model):
    """A media token issued to a user, or to an anonymous viewer, for one session."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="media_tokens"
    )
    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="media_tokens")
    provider = models.CharField(max_length=20)
    token_hash = models.CharField(max_length=64, unique=True)
    channel_id = models.CharField(max_length=64)
    uid = models.CharField(max_length=64)
    role = models.CharField(max_length=10)
    privileges = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    notified_at = models.DateTimeField(null=True, blank=True, help_text="When its holder was notified of the expiry.")

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=models.F("created_at")), name="token_has_a_life")
        ]
        indexes = [
            models.Index(fields=["session", "user", "-created_at"], name="token_by_holder"),
            models.Index(fields=["expires_at"], name="token_by_expiry"),
            models.Index(fields=["session", "uid", "-expires_at"], name="token_by_uid"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.role} of {self.user}"
