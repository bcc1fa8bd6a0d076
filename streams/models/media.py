"""A session's data at its media provider."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from streams.models.session import StreamSession


class ProviderDelivery(models.Model):
    """A webhook that a provider delivered; stored once by its delivery id, applied once."""

    provider = models.CharField(max_length=20)
    delivery_id = models.CharField(max_length=100)
    type = models.CharField(max_length=60)
    payload = models.JSONField()
    received_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-received_at"]
        verbose_name_plural = "provider deliveries"
        constraints = [models.UniqueConstraint(fields=["provider", "delivery_id"], name="delivery_once")]
        indexes = [models.Index(fields=["received_at"], name="delivery_by_age")]

    def __str__(self) -> str:
        return f"{self.provider} {self.type}"


class MediaUid(models.Model):
    """A participant's uid at providers that use numbers; never reused within the session.

    A person keeps it until a right is revoked. Then it is retired and belongs to nobody, so a block of this uid at the
    provider affects no one else.
    """

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="media_uids")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="media_uids")
    number = models.PositiveBigIntegerField()
    given_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["session", "given_at"]
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="uid_once_per_session"),
            models.UniqueConstraint(
                fields=["session", "user"], condition=Q(retired_at__isnull=True), name="uid_one_per_person"
            ),
            models.CheckConstraint(condition=Q(number__gte=1, number__lt=2**32), name="uid_in_range"),
        ]

    def __str__(self) -> str:
        return str(self.number)


class ProviderRoom(models.Model):
    """A room created at a provider for one session. `ready_at` is set once the provider has responded."""

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="provider_rooms")
    provider = models.CharField(max_length=20)
    channel_id = models.CharField(max_length=64)
    details = models.JSONField(default=dict)
    claimed_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-claimed_at"]
        constraints = [models.UniqueConstraint(fields=["provider", "channel_id"], name="provider_room_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.channel_id}"


class MediaResource(models.Model):
    """A connection at a provider opened through this product's own address (WHIP, WHEP), until it is ended there.

    `name` is its address here. `url` is its address there, which is not public.
    """

    name = models.CharField(max_length=64, primary_key=True)
    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="media_resources")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="media_resources"
    )
    provider = models.CharField(max_length=20)
    channel_id = models.CharField(max_length=64)
    uid = models.CharField(max_length=64)
    role = models.CharField(max_length=10)
    url = models.CharField(max_length=2000)
    token_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["channel_id", "uid", "-created_at"], name="resource_by_person"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.role} of {self.user}"


class ProviderHealth(models.Model):
    """A web process's last observation of a provider: the state of its circuit breaker, and the reason."""

    provider = models.CharField(max_length=20, primary_key=True)
    state = models.CharField(max_length=10)
    reason = models.CharField(max_length=60)
    failures = models.PositiveIntegerField(default=0)
    process = models.CharField(max_length=64)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["provider"]
        verbose_name_plural = "provider health"

    def __str__(self) -> str:
        return f"{self.provider}: {self.state}"
