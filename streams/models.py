"""A live session and everything that hangs on it. Only services write these."""

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from livestream.identifiers import channel_name, epoch_name
from streams.state import EndReason, SessionState


class SessionType(models.TextChoices):
    """Where the picture comes from."""

    CAMERA = "camera", "Camera"
    SCREEN = "screen", "Screen"
    ENCODER = "encoder", "Encoder (OBS, ffmpeg)"


class Visibility(models.TextChoices):
    """Who finds and who may watch a session."""

    PUBLIC = "public", "Everybody; listed"
    UNLISTED = "unlisted", "Everybody with the link"
    PRIVATE = "private", "Only signed-in people who were let in"


class Role(models.TextChoices):
    """What a person is in one session."""

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


class StreamSession(models.Model):
    """One live show.

    `version` grows with each change of state and guards it (compare-and-swap). `head_seq` is the sequence number of
    the last durable event of the room; whoever writes such an event takes the next one from this row, in the same
    transaction. `epoch` changes when sequence numbers cannot be compared any more.
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
    host_lost_at = models.DateTimeField(null=True, blank=True, help_text="Since when the host's media is away.")
    viewer_count = models.PositiveIntegerField(default=0)
    peak_viewers = models.PositiveIntegerField(default=0)
    total_viewers = models.PositiveIntegerField(default=0)
    guest_count = models.PositiveIntegerField(default=0, help_text="Who is on stage beside the host.")
    stage_slots = models.JSONField(default=dict, blank=True, help_text="Which received track is whom, as last told.")
    poster = models.ImageField(upload_to="posters/", blank=True)
    metadata = models.JSONField(default=dict, blank=True)

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
    """What the host chose for one session."""

    session = models.OneToOneField(StreamSession, models.CASCADE, primary_key=True, related_name="settings")
    max_participants = models.PositiveIntegerField(
        default=10_000, validators=[MinValueValidator(1), MaxValueValidator(1_000_000)]
    )
    allow_guests = models.BooleanField(default=True)
    require_approval = models.BooleanField(default=True)
    max_guests = models.PositiveSmallIntegerField(default=20, validators=[MaxValueValidator(20)])
    enable_chat = models.BooleanField(default=True)
    enable_gifts = models.BooleanField(default=True)
    guest_audio_default = models.BooleanField(default=True, help_text="Guests come on with sound.")
    guest_video_default = models.BooleanField(default=True, help_text="Guests come on with a picture.")
    slow_mode_seconds = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(120)])
    record = models.BooleanField(default=False)
    grace_seconds = models.PositiveSmallIntegerField(default=60, validators=[MaxValueValidator(1800)])

    class Meta:
        verbose_name_plural = "session settings"
        constraints = [
            models.CheckConstraint(condition=Q(max_guests__lte=20), name="settings_max_guests"),
            models.CheckConstraint(condition=Q(max_participants__gte=1), name="settings_max_participants"),
            models.CheckConstraint(condition=Q(slow_mode_seconds__lte=120), name="settings_slow_mode"),
            models.CheckConstraint(condition=Q(grace_seconds__lte=1800), name="settings_grace"),
        ]

    def __str__(self) -> str:
        return f"Settings of {self.session_id}"


class SessionTransition(models.Model):
    """One move of a session from a state to another; append only."""

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


class MutedBy(models.TextChoices):
    """Who turned a person's microphone or camera off."""

    SELF = "self", "The person"
    HOST = "host", "Host or moderator"


class Participant(models.Model):
    """A signed-in person in one session: role, whereabouts and flags.

    The media fields are about people on stage. `media_due_at` stands while the provider has still to be told of the
    person's role, mutes or removal; it is set in the transaction that changed them and cleared when the provider
    has taken it. `moderates` is what `selectors.participants` adds: whether the person is a `SessionModerator` here.
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
    media_lost_at = models.DateTimeField(null=True, blank=True, help_text="Since when the guest's media is away.")
    media_due_at = models.DateTimeField(null=True, blank=True, help_text="The provider has still to be told.")

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
                fields=["media_due_at"], condition=Q(media_due_at__isnull=False), name="participant_media_due"
            ),
            models.Index(
                fields=["staged_at"],
                condition=Q(status="active", role__in=["cohost", "guest"]),
                name="participant_stage_sweep",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} as {self.role}"


class SessionModerator(models.Model):
    """A person whom the host trusts to moderate one session."""

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="moderators")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="moderated_sessions")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "user"], name="moderator_once")]

    def __str__(self) -> str:
        return f"{self.user_id} moderates {self.session_id}"


class GuestRequestStatus(models.TextChoices):
    """What became of a wish to come on stage."""

    PENDING = "pending", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Declined"
    CANCELLED = "cancelled", "Taken back"
    EXPIRED = "expired", "Too old"


class GuestRequest(models.Model):
    """A viewer asks to come on stage, or was asked to (`invited_by`). Pending until answered, or `expires_at`."""

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
        return f"{self.user_id}: {self.status}"


class AuditEntry(models.Model):
    """Who did what to whom, and when; append only."""

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
        return self.action


class ReactionTotal(models.Model):
    """How often a reaction was given in a session."""

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="reaction_totals")
    kind = models.CharField(max_length=20)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "kind"], name="reaction_once_per_kind")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.count}"


class Gift(models.Model):
    """Something that viewers can send; priced in coins."""

    slug = models.SlugField(max_length=40, primary_key=True)
    name = models.CharField(max_length=60)
    price = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    icon = models.CharField(max_length=40)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["price", "slug"]
        constraints = [models.CheckConstraint(condition=Q(price__gte=1), name="gift_costs_something")]

    def __str__(self) -> str:
        return self.name


class GiftTransaction(models.Model):
    """One gift sent by one viewer; sending the same `client_id` again sends nothing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(StreamSession, models.PROTECT, related_name="gifts")
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="gifts_sent")
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="gifts_received")
    gift = models.ForeignKey(Gift, models.PROTECT, related_name="transactions")
    quantity = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    amount = models.PositiveIntegerField(help_text="Coins in all.")
    client_id = models.CharField(max_length=64)
    seq = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["session", "sender", "client_id"], name="gift_once_per_client_id"),
            models.UniqueConstraint(fields=["session", "seq"], name="gift_once_per_seq"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="gift_at_least_one"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.gift_id}"


class Wallet(models.Model):
    """A person's coins. The balance is the sum of the entries, kept beside them and never below zero."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, primary_key=True, related_name="wallet")
    balance = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(balance__gte=0), name="wallet_not_below_zero")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.balance}"


class WalletEntry(models.Model):
    """One side of a double entry; the entries of one `booking` add up to zero."""

    booking = models.UUIDField()
    wallet = models.ForeignKey(Wallet, models.PROTECT, null=True, blank=True, related_name="entries")
    account = models.CharField(max_length=40, help_text="wallet, or the counter account: topup, fee.")
    amount = models.BigIntegerField()
    gift = models.ForeignKey(GiftTransaction, models.PROTECT, null=True, blank=True, related_name="wallet_entries")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "wallet entries"
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="entry_moves_something"),
            models.UniqueConstraint(fields=["booking", "account", "wallet"], name="entry_once_per_side"),
        ]
        indexes = [models.Index(fields=["wallet", "-created_at"], name="entry_by_wallet")]

    def __str__(self) -> str:
        return f"{self.account}: {self.amount}"


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
        return f"{self.session_id}: {self.status}"


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


class ViewerSample(models.Model):
    """How many watched at one moment; for charts."""

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="viewer_samples")
    at = models.DateTimeField()
    viewers = models.PositiveIntegerField()

    class Meta:
        ordering = ["session", "at"]
        constraints = [models.UniqueConstraint(fields=["session", "at"], name="sample_once_per_moment")]

    def __str__(self) -> str:
        return f"{self.at}: {self.viewers}"


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


class JanitorLease(models.Model):
    """Which process does a periodic job at the moment; taken by compare-and-swap, good until `until`."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=64)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"


class MediaUid(models.Model):
    """The number by which a provider knows somebody in one session; nobody else there ever has it.

    A person keeps it until something is taken from them. Then it is retired, and is nobody's any more: what is
    forbidden to it at the provider does not meet whoever may be there.
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
    """What was made at a provider for one session. `ready_at` stands once the provider has answered."""

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="provider_rooms")
    provider = models.CharField(max_length=20)
    channel_id = models.CharField(max_length=64)
    details = models.JSONField(default=dict)
    claimed_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True)
    renew_due_at = models.DateTimeField(
        null=True, blank=True, help_text="Somebody who was put out knows its name, which has still to be changed."
    )

    class Meta:
        ordering = ["-claimed_at"]
        constraints = [models.UniqueConstraint(fields=["provider", "channel_id"], name="provider_room_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.channel_id}"


class MediaResource(models.Model):
    """A connection at a provider that somebody opened through our own address (WHIP, WHEP), until it is ended there.

    `name` is its address here, `url` its address there, which is nobody's business. `due_at` stands while it has
    still to be ended whoever it belongs to; what a show has left behind is ended without a mark.
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
    due_at = models.DateTimeField(null=True, blank=True, help_text="It has still to be ended at the provider.")

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["channel_id", "uid", "-created_at"], name="resource_by_person"),
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="resource_due"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.role} of {self.uid}"


class ProviderHealth(models.Model):
    """What a web process last found of a provider: whether its breaker lets calls pass, and why."""

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
