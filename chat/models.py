"""What is said in a session, and what moderators do about it. Only services write these."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from streams.models import StreamSession


class MessageType(models.TextChoices):
    """What kind of line a message is."""

    USER = "user_message", "Message"
    SYSTEM = "system_message", "Notice"
    AUCTION = "auction_update", "Auction update"
    GIFT = "gift", "Gift"


class ChatMessage(models.Model):
    """One message. Its `seq` is its place in the room's sequence, its `client_id` what its sender called it.

    Removing keeps the row (moderators need the evidence, the sequence stays without holes) and hides the text.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="messages")
    seq = models.BigIntegerField()
    client_id = models.CharField(max_length=64)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="messages")
    username = models.CharField(max_length=30)
    display_name = models.CharField(max_length=50)
    role = models.CharField(max_length=10)
    content = models.TextField(max_length=2000)
    message_type = models.CharField(max_length=20, choices=MessageType, default=MessageType.USER)
    reply_to = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="replies")
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="removed_messages"
    )
    metadata = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["session", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["session", "seq"], name="message_once_per_seq"),
            models.UniqueConstraint(fields=["session", "user", "client_id"], name="message_once_per_client_id"),
        ]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="message_by_user"),
            models.Index(fields=["-created_at"], name="message_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.username}: {self.content[:40]}"


class ReadMarker(models.Model):
    """Up to where a person has read a session's chat."""

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="read_markers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="read_markers")
    seq = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "user"], name="read_marker_once")]

    def __str__(self) -> str:
        return f"{self.user} up to {self.seq}"


class SanctionKind(models.TextChoices):
    """How somebody is held back."""

    MUTE = "mute", "May not write"
    TIMEOUT = "timeout", "May not write for a while"
    BAN = "ban", "May not come in"


class Sanction(models.Model):
    """Somebody is held back in one session, or everywhere (no session)."""

    session = models.ForeignKey(StreamSession, models.CASCADE, null=True, blank=True, related_name="sanctions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="sanctions")
    kind = models.CharField(max_length=10, choices=SanctionKind)
    until = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is lifted.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="sanctions_given")
    reason = models.CharField(max_length=280, blank=True)
    created_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=SanctionKind.values), name="sanction_kind_known"),
            models.CheckConstraint(
                condition=~Q(kind="timeout") | Q(until__isnull=False), name="sanction_timeout_has_end"
            ),
        ]
        indexes = [
            models.Index(fields=["user", "session"], condition=Q(lifted_at__isnull=True), name="sanction_in_force")
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user}"


class BlockedTerm(models.Model):
    """A word or phrase that may not be written, in one session or everywhere."""

    session = models.ForeignKey(StreamSession, models.CASCADE, null=True, blank=True, related_name="blocked_terms")
    term = models.CharField(max_length=100)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="blocked_terms"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["term"]
        constraints = [
            models.UniqueConstraint(fields=["session", "term"], name="blocked_term_once"),
            models.UniqueConstraint(
                fields=["term"], condition=Q(session__isnull=True), name="blocked_term_once_everywhere"
            ),
        ]

    def __str__(self) -> str:
        return self.term


class ReportStatus(models.TextChoices):
    """What became of a report."""

    OPEN = "open", "Open"
    UPHELD = "upheld", "Upheld"
    DISMISSED = "dismissed", "Dismissed"


class MessageReport(models.Model):
    """Somebody says that a message should not be there."""

    message = models.ForeignKey(ChatMessage, models.CASCADE, related_name="reports")
    reporter = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="message_reports")
    reason = models.CharField(max_length=280, blank=True)
    status = models.CharField(max_length=10, choices=ReportStatus, default=ReportStatus.OPEN)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="handled_reports"
    )
    created_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["message", "reporter"], name="report_once_per_person")]
        indexes = [models.Index(fields=["status", "-created_at"], name="report_queue")]

    def __str__(self) -> str:
        return f"Report of “{self.message}”"
