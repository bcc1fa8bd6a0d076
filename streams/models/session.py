"""A show, its settings and its history."""

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from livestream.identifiers import channel_name, epoch_name
from streams.audit_labels import action_words
from streams.state import EndReason, SessionState


class SessionType(models.TextChoices):
    """The source of the video."""

    CAMERA = "camera", "Camera"
    SCREEN = "screen", "Screen"
    ENCODER = "encoder", "Encoder (OBS, ffmpeg)"


class Visibility(models.TextChoices):
    """The people who can find and watch a session."""

    PUBLIC = "public", "Everyone, listed"
    UNLISTED = "unlisted", "Everyone with the link"
    PRIVATE = "private", "Only invited, logged-in people"


class StreamSession(models.Model):
    """One live show.

    `version` grows with each change of state and guards it (compare-and-swap). `head_seq` is the sequence number of the
    room's last durable event; each new event takes the next one from this row, in the same transaction. `epoch` changes
    when sequence numbers are no longer comparable.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="hosted_sessions")
    auction_id = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001 - null means "no auction"
    channel_id = models.CharField(max_length=64, unique=True, default=channel_name, editable=False)
    title = models.CharField(max_length=120)
    description = models.TextField(max_length=2000, blank=True)
    session_type = models.CharField(max_length=10, choices=SessionType, default=SessionType.CAMERA)
    provider = models.CharField(max_length=20, default="builtin")
    media_node = models.CharField(max_length=64, blank=True)
    visibility = models.CharField(max_length=10, choices=Visibility, default=Visibility.PUBLIC)
    state = models.CharField(max_length=12, choices=SessionState, default=SessionState.INITIALIZING)
    version = models.PositiveIntegerField(default=0)
    epoch = models.CharField(max_length=16, default=epoch_name, editable=False)
    head_seq = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    scheduled_for = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=20, choices=EndReason, blank=True)
    host_lease_at = models.DateTimeField(null=True, blank=True, help_text="When the host's media was last seen.")
    host_lost_at = models.DateTimeField(null=True, blank=True, help_text="When the host's media was lost.")
    viewer_count = models.PositiveIntegerField(default=0)
    peak_viewers = models.PositiveIntegerField(default=0)
    total_viewers = models.PositiveIntegerField(default=0)
    guest_count = models.PositiveIntegerField(default=0, help_text="Guests and co-hosts on stage.")
    stage_slots = models.JSONField(default=dict, blank=True, help_text="The participant of each received track.")
    poster = models.ImageField(upload_to="posters/", blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["state", "visibility", "-started_at"], name="session_listing"),
            models.Index(fields=["host", "-created_at"], name="session_by_host"),
            models.Index(fields=["-created_at", "id"], name="session_by_age"),
            models.Index(fields=["scheduled_for"], condition=Q(state="initializing"), name="session_scheduled"),
            models.Index(
                fields=["state", "host_lost_at"],
                condition=Q(state__in=["initializing", "active", "paused"]),
                name="session_sweep",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=SessionState.values), name="session_state_known"),
            models.CheckConstraint(condition=Q(visibility__in=Visibility.values), name="session_visibility_known"),
            models.CheckConstraint(
                condition=~Q(state__in=["active", "paused"]) | Q(started_at__isnull=False),
                name="session_live_has_start",
            ),
            models.CheckConstraint(
                condition=~Q(state="ended") | Q(ended_at__isnull=False), name="session_ended_has_end"
            ),
            models.CheckConstraint(condition=Q(peak_viewers__gte=F("viewer_count")), name="session_peak_covers_count"),
            models.CheckConstraint(condition=Q(guest_count__lte=20), name="session_guest_count"),
        ]

    def __str__(self) -> str:
        return self.title


class SessionSettings(models.Model):
    """The host's settings for one session."""

    session = models.OneToOneField(StreamSession, models.CASCADE, primary_key=True, related_name="settings")
    max_participants = models.PositiveIntegerField(
        default=10_000, validators=[MinValueValidator(1), MaxValueValidator(1_000_000)]
    )
    allow_guests = models.BooleanField(default=True)
    require_approval = models.BooleanField(default=True)
    max_guests = models.PositiveSmallIntegerField(default=20, validators=[MaxValueValidator(20)])
    enable_chat = models.BooleanField(default=True)
    guest_audio_default = models.BooleanField(default=True, help_text="Guests join with sound.")
    guest_video_default = models.BooleanField(default=True, help_text="Guests join with video.")
    slow_mode_seconds = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(120)])
    grace_seconds = models.PositiveSmallIntegerField(default=300, validators=[MaxValueValidator(1800)])

    class Meta:
        verbose_name_plural = "session settings"
        constraints = [
            models.CheckConstraint(condition=Q(max_guests__lte=20), name="settings_max_guests"),
            models.CheckConstraint(condition=Q(max_participants__gte=1), name="settings_max_participants"),
            models.CheckConstraint(condition=Q(slow_mode_seconds__lte=120), name="settings_slow_mode"),
            models.CheckConstraint(condition=Q(grace_seconds__lte=1800), name="settings_grace"),
        ]

    def __str__(self) -> str:
        return f"Settings of {self.session}"


class SessionTransition(models.Model):
    """One transition of a session between states; append only."""

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="transitions")
    version = models.PositiveIntegerField()
    from_state = models.CharField(max_length=12, choices=SessionState, blank=True)
    to_state = models.CharField(max_length=12, choices=SessionState)
    reason = models.CharField(max_length=20, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="session_transitions"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["session", "version"]
        constraints = [models.UniqueConstraint(fields=["session", "version"], name="transition_once_per_version")]

    def __str__(self) -> str:
        return f"{self.from_state or 'new'} → {self.to_state}"


class SessionEvent(models.Model):
    """A durable event of a room other than a chat message, kept so that clients can resume."""

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="events")
    seq = models.BigIntegerField()
    type = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["session", "seq"]
        constraints = [models.UniqueConstraint(fields=["session", "seq"], name="event_once_per_seq")]

    def __str__(self) -> str:
        return f"{self.type} {self.seq}"


class AuditEntry(models.Model):
    """An audited action: actor, target and time; append only."""

    session = models.ForeignKey(StreamSession, models.SET_NULL, null=True, blank=True, related_name="audit_entries")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="audit_entries"
    )
    action = models.CharField(max_length=40)
    target_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="audited"
    )
    details = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["session", "-created_at"], name="audit_by_session"),
            models.Index(fields=["actor", "-created_at"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return action_words(self.action)
