"""Chat messages and their moderation. Only services write these."""

import uuid

from django.conf import settings
from django.db import models

from streams.models import StreamSession


class MessageType(models.TextChoices):
    """The kind of a message."""

    USER = "user_message", "Message"
    SYSTEM = "system_message", "Notice"
    AUCTION = "auction_update", "Auction update"
    GIFT = "gift", "Gift"


class ChatMessage(models.Model):
    """One message. `seq` is its place in the room's sequence, `client_id` the sender's own id for it.

    Removing keeps the row (moderators need the evidence, and the sequence stays without gaps) and hides the text.
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
    """A person's read position in a session's chat."""

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="read_markers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="read_markers")
    seq = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "user"], name="read_marker_once")]

    def __str__(self) -> str:
        return f"{self.user} up to {self.seq}"
