"""Shows for moderators: view, end, mark as failed."""

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
    """A filter on the reasons why shows ended, in words."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Return Django's choices with the list's names for them."""
        for choice in super().choices(changelist):
            yield {**choice, "display": reason_words(str(choice["display"])) or "None"}


class SettingsInline(ReadOnlyInline):
    """The settings chosen by the host."""

    model = models.SessionSettings


class ModeratorInline(ReadOnlyInline):
    """The moderators of a session."""

    model = models.SessionModerator
    fields = readonly_fields = ("user", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load users, and sessions for the rows' names."""
        return super().get_queryset(request).select_related("user", "session")


class TransitionInline(ReadOnlyInline):
    """The transitions that led to a session's state."""

    model = models.SessionTransition
    fields = readonly_fields = ("version", "from_state", "to_state", "why", "actor", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load the actors."""
        return super().get_queryset(request).select_related("actor")

    @admin.display(description="reason")
    def why(self, move: models.SessionTransition) -> str | None:
        """Return the reason in words."""
        return reason_words(move.reason) or None


@admin.register(models.StreamSession)
class SessionAdmin(ReadOnlyAdmin):
    """Sessions. Title and description can be corrected; all other fields are set by the host or by events."""

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
        """Allow moderators to correct title and description."""
        return self.has_moderate_permission(request)

    def is_open(self, row: models.StreamSession) -> bool:
        """Ended sessions allow no actions. Failed ones can still be ended."""
        return row.state != SessionState.ENDED

    def get_urls(self) -> list[Any]:
        """Add the page that asks for confirmation before a show is ended."""
        view = self.admin_site.admin_view(self.end_page)
        return [path("<uuid:session_id>/end/", view, name="streams_streamsession_end"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one session, with a button to end it while it is open."""
        session = self.get_object(request, unquote(object_id))
        may_end = session is not None and session.state in OPEN and self.has_moderate_permission(request)
        return super().change_view(request, object_id, form_url, {"may_end": may_end, **(extra_context or {})})

    def end_page(self, request: HttpRequest, session_id: UUID) -> HttpResponse:
        """Ask for confirmation, and end the show on POST."""
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
        """Return all fields except those in `editable`."""
        shown = [name for _, options in self.fieldsets for name in options["fields"]]
        return [name for name in shown if name not in self.editable]

    @admin.display(description="title", ordering="title")
    def shown_title(self, session: models.StreamSession) -> str:
        """Return the title isolated, because it is user text."""
        return isolated(session.title)

    @admin.display(description="page")
    def page(self, session: models.StreamSession) -> str:
        """Return a link to the room."""
        return format_html('<a href="/live/{}/">Open room</a>', session.pk)

    def save_model(self, request: HttpRequest, obj: models.StreamSession, form: Any, change: bool) -> None:
        """Pass the changes to the service, which notifies the room."""
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in self.editable}
        session_update(session_id=UUID(str(obj.pk)), actor=actor_of(request.user), changes=changes)

    @admin.action(description="End selected sessions", permissions=["moderate"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[models.StreamSession]) -> None:
        """End each selected session as a moderator. Those already over stay unchanged."""
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
        """Mark sessions that broke beyond repair. Viewers see that it was no ordinary end."""
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
    """Settings chosen by hosts."""

    list_display = ("session", "max_participants", "enable_chat", "slow_mode_seconds", "allow_guests")
    list_filter = ("enable_chat", "allow_guests", "require_approval")
    list_select_related = ("session",)
    search_fields = SESSION_SEARCH
    uuid_search_fields = ("session_id",)


@admin.register(models.SessionTransition)
class SessionTransitionAdmin(ReadOnlyAdmin):
    """State transitions of sessions."""

    list_display = ("created_at", "session", "version", "from_state", "to_state", "why", "actor")
    list_filter = ("to_state", ("reason", ReasonFilter))
    list_select_related = ("session", "actor")
    search_fields = (*SESSION_SEARCH, "actor__username")
    uuid_search_fields = ("session_id", "actor_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)

    @admin.display(description="reason", ordering="reason")
    def why(self, move: models.SessionTransition) -> str | None:
        """Return the reason in words."""
        return reason_words(move.reason) or None


@admin.register(models.SessionEvent)
class SessionEventAdmin(ReadOnlyAdmin):
    """Durable events of rooms, except messages."""

    list_display = ("created_at", "session", "seq", "type")
    list_filter = ("type",)
    list_select_related = ("session",)
    search_fields = (*SESSION_SEARCH, "type")
    uuid_search_fields = ("session_id",)
    ordering = ("-id",)
