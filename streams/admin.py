"""Sessions and all that hangs on them, for moderators: read everything, end what must end."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from livestream.actors import actor_of
from livestream.errors import DomainError
from livestream.read_only_admin import ReadOnlyAdmin, ReadOnlyInline, isolated, report_done, selected_names
from streams import models
from streams.services.guest_requests import guest_request_reject
from streams.services.removal import participant_ban, participant_kick
from streams.services.sessions import session_end, session_fail, session_update
from streams.services.stage import stage_remove
from streams.state import EndReason

SESSION_SEARCH = ("session__title", "session__host__username")


class SettingsInline(ReadOnlyInline):
    """What the host chose."""

    model = models.SessionSettings


class ModeratorInline(ReadOnlyInline):
    """Whom the host trusts."""

    model = models.SessionModerator
    fields = readonly_fields = ("user", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the people's names."""
        return super().get_queryset(request).select_related("user")


class TransitionInline(ReadOnlyInline):
    """How the session came to be in its state."""

    model = models.SessionTransition
    fields = readonly_fields = ("version", "from_state", "to_state", "reason", "actor", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the people's names."""
        return super().get_queryset(request).select_related("actor")


@admin.register(models.ProviderHealth)
class ProviderHealthAdmin(ReadOnlyAdmin):
    """Whether calls to the media providers pass; a breaker that is open leaves a provider alone for a while."""

    list_display = ("provider", "state", "reason", "failures", "changed_at", "process")
    list_filter = ("state",)


@admin.register(models.MediaUid)
class MediaUidAdmin(ReadOnlyAdmin):
    """Numbers by which providers know people."""

    list_display = ("number", "user", "session", "given_at", "retired_at")
    list_filter = (("retired_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user", "session")
    search_fields = ("=number", "user__username", "session__title")
    uuid_search_fields = ("session_id", "user_id")


@admin.register(models.ProviderRoom)
class ProviderRoomAdmin(ReadOnlyAdmin):
    """What was made at providers for sessions."""

    list_display = ("channel_id", "provider", "session", "claimed_at", "ready_at")
    list_filter = ("provider",)
    list_select_related = ("session",)
    search_fields = ("channel_id", "session__title")
    uuid_search_fields = ("session_id",)


@admin.register(models.MediaResource)
class MediaResourceAdmin(ReadOnlyAdmin):
    """What people have open at providers that are reached through this product's own address."""

    exclude = ("url", "token_hash")
    list_display = ("created_at", "user", "uid", "session", "provider", "role", "due_at")
    list_filter = ("provider", "role", ("due_at", admin.EmptyFieldListFilter))
    list_select_related = ("user", "session")
    search_fields = ("user__username", "session__title", "channel_id", "uid")
    uuid_search_fields = ("session_id", "user_id")


@admin.register(models.StreamSession)
class SessionAdmin(ReadOnlyAdmin):
    """Sessions. Title and description can be put right; everything else is the host's, or follows from events."""

    list_display = (
        "shown_title",
        "host",
        "state",
        "viewer_count",
        "visibility",
        "started_at",
        "created_at",
    )
    list_display_links = ("shown_title",)
    list_filter = ("state", "visibility", "provider", "session_type", "end_reason")
    list_select_related = ("host",)
    search_fields = ("title", "description", "host__username", "host__display_name", "auction_id", "channel_id")
    uuid_search_fields = ("id", "host_id")
    date_hierarchy = "created_at"
    actions = ("end_sessions", "fail_sessions")
    inlines = (SettingsInline, TransitionInline, ModeratorInline)
    editable = ("title", "description")
    fieldsets = (
        (None, {"fields": ("id", "title", "description", "host", "page")}),
        (
            "State",
            {"fields": ("state", "end_reason", "created_at", "scheduled_for", "started_at", "paused_at", "ended_at")},
        ),
        ("People", {"fields": ("viewer_count", "peak_viewers", "total_viewers", "guest_count")}),
        (
            "Media",
            {"fields": ("session_type", "provider", "media_node", "channel_id", "host_lease_at", "host_lost_at")},
        ),
        ("More", {"fields": ("visibility", "auction_id", "poster", "version", "epoch", "head_seq", "metadata")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Moderators may put a title or a description right."""
        return self.has_moderate_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All but what stands in `editable`."""
        shown = [name for _, options in self.fieldsets for name in options["fields"]]
        return [name for name in shown if name not in self.editable]

    @admin.display(description="title", ordering="title")
    def shown_title(self, session: models.StreamSession) -> str:
        """Somebody's text."""
        return isolated(session.title)

    @admin.display(description="page")
    def page(self, session: models.StreamSession) -> str:
        """The room, to look what is going on."""
        return format_html('<a href="/live/{}/">Open the room</a>', session.pk)

    def save_model(self, request: HttpRequest, obj: models.StreamSession, form: Any, change: bool) -> None:
        """Hand what was changed to the service, which tells the room."""
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in self.editable}
        session_update(session_id=UUID(str(obj.pk)), actor=actor_of(request.user), changes=changes)

    @admin.action(description="End selected sessions", permissions=["moderate"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[models.StreamSession]) -> None:
        """End each, as a moderator; those that are over stay as they are."""
        done, refusals = 0, {}
        for session_id, title in selected_names(queryset).items():
            try:
                session_end(session_id=session_id, actor=actor_of(request.user), reason=EndReason.MODERATOR)
            except DomainError as error:
                refusals[title] = error.message
            else:
                done += 1
        report_done(self, request, done=done, what="Sessions ended", refusals=refusals)

    @admin.action(description="Mark selected sessions as failed", permissions=["moderate"])
    def fail_sessions(self, request: HttpRequest, queryset: QuerySet[models.StreamSession]) -> None:
        """Something broke that cannot be mended; people see that it was no ordinary end."""
        done, refusals = 0, {}
        for session_id, title in selected_names(queryset).items():
            try:
                session_fail(session_id=session_id, actor=actor_of(request.user))
            except DomainError as error:
                refusals[title] = error.message
            else:
                done += 1
        report_done(self, request, done=done, what="Sessions marked as failed", refusals=refusals)


@admin.register(models.SessionSettings)
class SessionSettingsAdmin(ReadOnlyAdmin):
    """What hosts chose."""

    list_display = ("session", "max_participants", "enable_chat", "slow_mode_seconds", "allow_guests", "record")
    list_filter = ("enable_chat", "allow_guests", "require_approval", "enable_gifts", "record")
    list_select_related = ("session",)
    search_fields = SESSION_SEARCH
    uuid_search_fields = ("session_id",)


@admin.register(models.SessionTransition)
class SessionTransitionAdmin(ReadOnlyAdmin):
    """Every move of a session."""

    list_display = ("created_at", "session", "version", "from_state", "to_state", "reason", "actor")
    list_filter = ("to_state", "reason")
    list_select_related = ("session", "actor")
    search_fields = (*SESSION_SEARCH, "actor__username")
    uuid_search_fields = ("session_id", "actor_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)


@admin.register(models.SessionEvent)
class SessionEventAdmin(ReadOnlyAdmin):
    """What rooms were told, beside messages."""

    list_display = ("created_at", "session", "seq", "type")
    list_filter = ("type",)
    list_select_related = ("session",)
    search_fields = (*SESSION_SEARCH, "type")
    uuid_search_fields = ("session_id",)
    ordering = ("-id",)


@admin.register(models.Participant)
class ParticipantAdmin(ReadOnlyAdmin):
    """Who was where, and as what."""

    list_display = ("user", "session", "role", "status", "joined_at", "left_at", "audio_muted", "video_muted")
    list_filter = ("role", "status", "audio_muted", "video_muted")
    list_select_related = ("user", "session")
    search_fields = ("user__username", "user__display_name", "session__title")
    uuid_search_fields = ("session_id", "user_id")
    date_hierarchy = "joined_at"
    ordering = ("-id",)
    actions = ("take_off_stage", "remove_from_show", "ban_from_show")

    @admin.action(description="Take selected people off the stage", permissions=["moderate"])
    def take_off_stage(self, request: HttpRequest, queryset: QuerySet[models.Participant]) -> None:
        """They go on watching."""
        self._each(request, queryset, stage_remove, "People taken off the stage")

    @admin.action(description="Remove selected people from their shows", permissions=["moderate"])
    def remove_from_show(self, request: HttpRequest, queryset: QuerySet[models.Participant]) -> None:
        """Until the host lets them in again."""
        self._each(request, queryset, participant_kick, "People removed")

    @admin.action(description="Ban selected people from their shows", permissions=["moderate"])
    def ban_from_show(self, request: HttpRequest, queryset: QuerySet[models.Participant]) -> None:
        """For good."""
        self._each(request, queryset, participant_ban, "People banned")

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[models.Participant],
        change: Callable[..., models.Participant],
        what: str,
    ) -> None:
        done, refusals = 0, {}
        for person in queryset.select_related("user"):
            try:
                change(session_id=person.session_id, actor=actor_of(request.user), user_id=person.user_id)
            except DomainError as error:
                refusals[person.user.username] = error.message
            else:
                done += 1
        report_done(self, request, done=done, what=what, refusals=refusals)


@admin.register(models.SessionModerator)
class SessionModeratorAdmin(ReadOnlyAdmin):
    """Whom hosts trust."""

    list_display = ("user", "session", "created_at")
    list_select_related = ("user", "session")
    search_fields = ("user__username", *SESSION_SEARCH)
    uuid_search_fields = ("session_id", "user_id")
    ordering = ("-id",)


@admin.register(models.GuestRequest)
class GuestRequestAdmin(ReadOnlyAdmin):
    """Who asked to come on stage."""

    list_display = ("user", "session", "status", "shown_message", "responder", "created_at", "answered_at")
    list_filter = ("status",)
    list_select_related = ("user", "session", "responder")
    search_fields = ("user__username", "message", *SESSION_SEARCH)
    uuid_search_fields = ("id", "session_id", "user_id")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    actions = ("decline_requests",)

    @admin.action(description="Decline selected requests", permissions=["moderate"])
    def decline_requests(self, request: HttpRequest, queryset: QuerySet[models.GuestRequest]) -> None:
        """Those that still wait."""
        done, refusals = 0, {}
        for wish in queryset.select_related("user"):
            try:
                guest_request_reject(session_id=wish.session_id, request_id=wish.pk, actor=actor_of(request.user))
            except DomainError as error:
                refusals[wish.user.username] = error.message
            else:
                done += 1
        report_done(self, request, done=done, what="Requests declined", refusals=refusals)

    @admin.display(description="message")
    def shown_message(self, request: models.GuestRequest) -> str:
        """Somebody's text."""
        return isolated(request.message)


@admin.register(models.AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what to whom."""

    list_display = ("created_at", "action", "actor", "target_user", "session", "details")
    list_filter = ("action",)
    list_select_related = ("actor", "target_user", "session")
    search_fields = ("action", "actor__username", "target_user__username", "session__title")
    uuid_search_fields = ("session_id", "actor_id", "target_user_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)


@admin.register(models.ReactionTotal)
class ReactionTotalAdmin(ReadOnlyAdmin):
    """How often people reacted."""

    list_display = ("session", "kind", "count")
    list_filter = ("kind",)
    list_select_related = ("session",)
    search_fields = SESSION_SEARCH
    uuid_search_fields = ("session_id",)
    ordering = ("-id",)


@admin.register(models.Gift)
class GiftAdmin(ReadOnlyAdmin):
    """What can be given."""

    list_display = ("name", "slug", "price", "icon", "active")
    list_filter = ("active",)
    search_fields = ("name", "slug")


@admin.register(models.GiftTransaction)
class GiftTransactionAdmin(ReadOnlyAdmin):
    """Who gave what to whom."""

    list_display = ("created_at", "gift", "quantity", "amount", "sender", "recipient", "session")
    list_filter = ("gift",)
    list_select_related = ("gift", "sender", "recipient", "session")
    search_fields = ("sender__username", "recipient__username", "session__title", "client_id")
    uuid_search_fields = ("id", "session_id", "sender_id", "recipient_id")
    date_hierarchy = "created_at"


@admin.register(models.Wallet)
class WalletAdmin(ReadOnlyAdmin):
    """People's coins."""

    list_display = ("user", "balance")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    uuid_search_fields = ("user_id",)


@admin.register(models.WalletEntry)
class WalletEntryAdmin(ReadOnlyAdmin):
    """Every booking, both sides of it."""

    list_display = ("created_at", "booking", "account", "owner", "amount", "gift")
    list_filter = ("account",)
    list_select_related = ("wallet__user", "gift")
    search_fields = ("wallet__user__username", "account")
    uuid_search_fields = ("booking", "wallet_id", "gift_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)

    @admin.display(description="wallet", empty_value="-")
    def owner(self, entry: models.WalletEntry) -> str | None:
        """Whose wallet; none for the counter account."""
        return str(entry.wallet.user) if entry.wallet else None


@admin.register(models.Recording)
class RecordingAdmin(ReadOnlyAdmin):
    """What was kept."""

    list_display = ("session", "status", "duration_seconds", "size_bytes", "started_at", "finished_at", "error")
    list_filter = ("status",)
    list_select_related = ("session",)
    search_fields = (*SESSION_SEARCH, "provider_asset_id")
    uuid_search_fields = ("id", "session_id")
    date_hierarchy = "started_at"


@admin.register(models.Post)
class PostAdmin(ReadOnlyAdmin):
    """Replay pages."""

    list_display = ("shown_title", "session", "published_at", "created_at")
    list_filter = (("published_at", admin.EmptyFieldListFilter),)
    list_select_related = ("session",)
    search_fields = ("title", "body", *SESSION_SEARCH)
    uuid_search_fields = ("id", "session_id")
    date_hierarchy = "created_at"

    @admin.display(description="title", ordering="title")
    def shown_title(self, post: models.Post) -> str:
        """Somebody's text."""
        return isolated(post.title)


@admin.register(models.ViewerSample)
class ViewerSampleAdmin(ReadOnlyAdmin):
    """How many watched, moment by moment."""

    list_display = ("at", "session", "viewers")
    list_select_related = ("session",)
    search_fields = SESSION_SEARCH
    uuid_search_fields = ("session_id",)
    ordering = ("-id",)


@admin.register(models.ProviderDelivery)
class ProviderDeliveryAdmin(ReadOnlyAdmin):
    """What providers reported."""

    list_display = ("received_at", "provider", "type", "delivery_id", "applied_at")
    list_filter = ("provider", "type", ("applied_at", admin.EmptyFieldListFilter))
    search_fields = ("delivery_id", "type")
    date_hierarchy = "received_at"
    ordering = ("-id",)


@admin.register(models.JanitorLease)
class JanitorLeaseAdmin(ReadOnlyAdmin):
    """Which process does what at the moment."""

    list_display = ("name", "holder", "until")
