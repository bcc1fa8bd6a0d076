"""What is left of a show: recordings, and posts made of them."""

import uuid

from django.db import models

from streams.models.session import StreamSession


class RecordingStatus(models.TextChoices):
    """How far a recording is."""

    RUNNING = "running", "Recording"
    PROCESSING = "processing", "Being prepared"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class Recording(models.Model):
    """What was kept of a session's picture and sound."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="recordings")
    status = models.CharField(max_length=12, choices=RecordingStatus, default=RecordingStatus.RUNNING)
    file = models.FileField(upload_to="recordings/", blank=True)
    playback_url = models.URLField(blank=True)
    provider_asset_id = models.CharField(max_length=100, blank=True)
    duration_seconds = models.FloatField(null=True, blank=True)
    size_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at"]
        indexes = [models.Index(fields=["session", "-started_at"], name="recording_by_session")]

    def __str__(self) -> str:
        return f"{self.session}: {self.status}"


class Post(models.Model):
    """The replay page of a session."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.OneToOneField(StreamSession, models.CASCADE, related_name="post")
    recording = models.ForeignKey(Recording, models.SET_NULL, null=True, blank=True, related_name="posts")
    title = models.CharField(max_length=120)
    body = models.TextField(blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["-published_at"], name="post_listing")]

    def __str__(self) -> str:
        return self.title
