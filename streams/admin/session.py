"""Shows for moderators: look, end, take down."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html

from livestream.actors import actor_of
from livestream.errors import DomainError
from livestream.read_only_admin import ReadOnlyAdmin, ReadOnlyInline, isolated, report_done, selected_names
from streams import models
from streams.audit_labels import reason_words
from streams.services.show.sessions import session_end, session_fail, session_update
from streams.state import OPEN, EndReason, SessionState

SESSION_SEARCH = ("session__title", "session__host__username")


class ReasonFilter(admin.AllValuesFieldListFilter):
    """Why shows are over, in words."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Django's, called as the list calls them."""
        for choice in super().choices(changelist):
            yield {**choice, "display": reason_words(str(choice["display"])) or "None"}


class SettingsInline(ReadOnlyInline):
    """What the host chose."""

    model = models.SessionSettings


class ModeratorInline(ReadOnlyInline):
    """Whom the host trusts."""

    model = models.SessionModerator
    fields = readonly_fields = ("user", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the people's names, and the session's for what a row is called."""
        return super().get_queryset(request).select_related("user", "session")


class TransitionInline(ReadOnlyInline):
    """How the session came to be in its state."""

    model = models.SessionTransition
    fields = readonly_fields = ("version", "from_state", "to_state", "why", "actor", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the people's names."""
        return super().get_queryset(request).select_related("actor")

    @admin.display(description="reason")
    def why(self, move: models.SessionTransition) -> str | None:
        """In words."""
        return reason_words(move.reason) or None


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
    appears = "Shows appear here once someone creates one in the studio."
    list_display_links = ("shown_title",)
    list_filter = ("state", "visibility", "provider", "session_type", "end_reason")
    list_select_related = ("host",)
    search_fields = ("title", "description", "host__username", "host__display_name", "auction_id", "channel_id")
    uuid_search_fields = ("id", "host_id")
    date_hierarchy = "created_at"
    actions = ("end_sessions", "fail_sessions")
    change_form_template = "admin/show.html"
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
        ("More", {"fields": ("visibility", "auction_id", "poster", "version", "epoch", "head_seq")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Moderators may put a title or a description right."""
        return self.has_moderate_permission(request)

    def is_open(self, row: models.StreamSession) -> bool:
        """What has ended has ended; what failed can still be put away."""
        return row.state != SessionState.ENDED

    def get_urls(self) -> list[Any]:
        """Django's, and the page that asks before a show is ended."""
        view = self.admin_site.admin_view(self.end_page)
        return [path("<uuid:session_id>/end/", view, name="streams_streamsession_end"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One show; it can be ended from here while it is not over."""
        session = self.get_object(request, unquote(object_id))
        may_end = session is not None and session.state in OPEN and self.has_moderate_permission(request)
        return super().change_view(request, object_id, form_url, {"may_end": may_end, **(extra_context or {})})

    def end_page(self, request: HttpRequest, session_id: UUID) -> HttpResponse:
        """Ask, and end the show when the answer is yes."""
        if not self.has_moderate_permission(request):
            raise PermissionDenied
        session = get_object_or_404(self.get_queryset(request), pk=session_id)
        shown = reverse("admin:streams_streamsession_change", args=[session_id])
        if session.state not in OPEN:
            self.message_user(request, "This show has ended.", messages.WARNING)
            return redirect(shown)
        if request.method != "POST":
            context = self.admin_site.each_context(request)
            context |= {"title": "End this show?", "opts": self.opts, "original": session, "shown": shown}
            return TemplateResponse(request, "admin/show_end.html", context)
        try:
            session_end(session_id=session_id, actor=actor_of(request.user), reason=EndReason.MODERATOR)
        except DomainError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.message_user(request, "The show has ended.", messages.SUCCESS)
        return redirect(shown)

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
        return format_html('<a href="/live/{}/">Open room</a>', session.pk)

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

    list_display = ("session", "max_participants", "enable_chat", "slow_mode_seconds", "allow_guests")
    list_filter = ("enable_chat", "allow_guests", "require_approval")
    list_select_related = ("session",)
    search_fields = SESSION_SEARCH
    uuid_search_fields = ("session_id",)


@admin.register(models.SessionTransition)
class SessionTransitionAdmin(ReadOnlyAdmin):
    """Every move of a session."""

    list_display = ("created_at", "session", "version", "from_state", "to_state", "why", "actor")
    list_filter = ("to_state", ("reason", ReasonFilter))
    list_select_related = ("session", "actor")
    search_fields = (*SESSION_SEARCH, "actor__username")
    uuid_search_fields = ("session_id", "actor_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)

    @admin.display(description="reason", ordering="reason")
    def why(self, move: models.SessionTransition) -> str | None:
        """In words."""
        return reason_words(move.reason) or None


@admin.register(models.SessionEvent)
class SessionEventAdmin(ReadOnlyAdmin):
    """What rooms were told, beside messages."""

    list_display = ("created_at", "session", "seq", "type")
    list_filter = ("type",)
    list_select_related = ("session",)
    search_fields = (*SESSION_SEARCH, "type")
    uuid_search_fields = ("session_id",)
    ordering = ("-id",)
