"""Participants, moderators and guest requests."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from streams.models.session import StreamSession


class Role(models.TextChoices):
    """The role of a participant."""

    HOST = "host", "Host"
    COHOST = "cohost", "Co-host"
    GUEST = "guest", "Guest"
    VIEWER = "viewer", "Viewer"


class ParticipantStatus(models.TextChoices):
    """Whether a person is in the session."""

    ACTIVE = "active", "Here"
    LEFT = "left", "Left"
    KICKED = "kicked", "Removed"
    BANNED = "banned", "Banned"


class MutedBy(models.TextChoices):
    """The origin of a person's mute."""

    SELF = "self", "The person"
    HOST = "host", "Host or moderator"


class Participant(models.Model):
    """A logged-in person in one session: role, presence and flags.

    The media fields are for people on stage. `moderates` is added by `selectors.participants`: whether the person is a
    `SessionModerator` of the session.
    """

    moderates: bool

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="participants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="participations")
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    status = models.CharField(max_length=10, choices=ParticipantStatus, default=ParticipantStatus.ACTIVE)
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    invited = models.BooleanField(default=False, help_text="Was let into a private session by name.")
    audio_muted = models.BooleanField(default=False)
    video_muted = models.BooleanField(default=False)
    audio_muted_by = models.CharField(max_length=4, choices=MutedBy, blank=True)
    video_muted_by = models.CharField(max_length=4, choices=MutedBy, blank=True)
    screen_sharing = models.BooleanField(default=False)
    screen_stopped = models.BooleanField(default=False, help_text="The host stopped it; until the person shares anew.")
    staged_at = models.DateTimeField(null=True, blank=True, help_text="When the person came on stage.")
    media_seen_at = models.DateTimeField(null=True, blank=True, help_text="When the guest's media was last seen.")
    media_lost_at = models.DateTimeField(null=True, blank=True, help_text="When the guest's media was lost.")

    class Meta:
        ordering = ["joined_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["session", "user"], name="participant_once"),
            models.UniqueConstraint(fields=["session"], condition=Q(role="host"), name="participant_one_host"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="participant_role_known"),
            models.CheckConstraint(condition=Q(status__in=ParticipantStatus.values), name="participant_status_known"),
        ]
        indexes = [
            models.Index(fields=["session", "status", "role"], name="participant_listing"),
            models.Index(fields=["user", "-joined_at"], name="participant_by_user"),
            models.Index(
                fields=["staged_at"],
                condition=Q(status="active", role__in=["cohost", "guest"]),
                name="participant_stage_sweep",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} as {self.role}"


class SessionModerator(models.Model):
    """A moderator of one session."""

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="moderators")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="moderated_sessions")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "user"], name="moderator_once")]

    def __str__(self) -> str:
        return f"{self.user} moderates {self.session}"


class GuestRequestStatus(models.TextChoices):
    """The status of a guest request."""

    PENDING = "pending", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Declined"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Too old"


class GuestRequest(models.Model):
    """A viewer's request to come on stage, or an invitation (`invited_by`). Pending until answered, or until
    `expires_at`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="guest_requests")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="guest_requests")
    status = models.CharField(max_length=10, choices=GuestRequestStatus, default=GuestRequestStatus.PENDING)
    message = models.CharField(max_length=280, blank=True)
    reason = models.CharField(max_length=280, blank=True)
    responder = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="answered_requests"
    )
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="stage_invitations"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "user"], condition=Q(status="pending"), name="request_one_pending"
            ),
            models.CheckConstraint(condition=Q(status__in=GuestRequestStatus.values), name="request_status_known"),
        ]
        indexes = [
            models.Index(fields=["session", "status", "created_at"], name="request_queue"),
            models.Index(fields=["session", "user", "-created_at"], name="request_by_person"),
            models.Index(fields=["expires_at"], condition=Q(status="pending"), name="request_sweep"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.status}"
