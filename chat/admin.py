"""What was said, and what was done about it, for moderators."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator

from chat import models
from chat.services import message_remove
from livestream.actors import actor_of
from livestream.errors import DomainError
from livestream.read_only_admin import (
    HappenedFilter,
    ReadOnlyAdmin,
    ReadOnlyInline,
    isolated,
    report_done,
    selected_names,
)

EXCERPT_LENGTH = 120


def excerpt(text: str) -> str:
    """The beginning of somebody's text."""
    return isolated(Truncator(text).chars(EXCERPT_LENGTH))


class PlaceFilter(HappenedFilter):
    """Whether something holds in one show or in all."""

    answers = ("Everywhere", "In one show")


class ReportInline(ReadOnlyInline):
    """Who said that it should not be there."""

    model = models.MessageReport
    fields = readonly_fields = ("reporter", "reason", "status", "handled_by", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.MessageReport]:
        """With the people's names, and the message for what a row is called."""
        return super().get_queryset(request).select_related("reporter", "handled_by", "message")


@admin.register(models.ChatMessage)
class ChatMessageAdmin(ReadOnlyAdmin):
    """Messages. Removing hides one from everybody and keeps it here."""

    appears = "What people write in the chats of shows appears here."
    list_display = ("text", "author", "session", "created_at", "message_type", "removed")
    list_display_links = ("text", "created_at")
    list_filter = (("removed_at", HappenedFilter), "message_type", "session__state")
    list_select_related = ("session", "removed_by")
    search_fields = ("content", "username", "display_name", "session__title")
    uuid_search_fields = ("id", "session_id", "user_id")
    ordering = ("-created_at", "-seq")
    actions = ("remove_messages",)
    inlines = (ReportInline,)

    def is_open(self, row: models.ChatMessage) -> bool:
        """What is removed is removed."""
        return row.removed_at is None

    @admin.display(description="author", ordering="username")
    def author(self, message: models.ChatMessage) -> str:
        """The name that was shown, and the one that stays."""
        if message.display_name == message.username:
            return isolated(message.username)
        return isolated(f"{message.display_name} ({message.username})")

    @admin.display(description="text")
    def text(self, message: models.ChatMessage) -> str:
        """What was said."""
        return excerpt(message.content)

    @admin.display(description="removed", ordering="removed_at")
    def removed(self, message: models.ChatMessage) -> str | None:
        """Who took it from everybody else's eyes."""
        if message.removed_at is None:
            return None
        return f"by {message.removed_by}" if message.removed_by else "yes"

    @admin.action(description="Remove selected messages", permissions=["moderate"])
    def remove_messages(self, request: HttpRequest, queryset: QuerySet[models.ChatMessage]) -> None:
        """Remove each; those that are gone already stay as they are."""
        done, refusals = 0, {}
        for message_id, text in selected_names(queryset).items():
            try:
                message_remove(message_id=message_id, actor=actor_of(request.user))
            except DomainError as error:
                refusals[text] = error.message
            else:
                done += 1
        report_done(self, request, done=done, what="Messages removed", refusals=refusals)


@admin.register(models.ReadMarker)
class ReadMarkerAdmin(ReadOnlyAdmin):
    """Up to where people have read."""

    list_display = ("user", "session", "seq")
    list_select_related = ("user", "session")
    search_fields = ("user__username", "session__title")
    uuid_search_fields = ("session_id", "user_id")
    ordering = ("-id",)


@admin.register(models.Sanction)
class SanctionAdmin(ReadOnlyAdmin):
    """Who is held back, and why."""

    not_yet = (
        "Mutes in chats will appear here; nobody can mute yet. "
        "Who was removed or banned from a show stands under “Participants”."
    )
    list_display = ("user", "kind", "place", "until", "by", "shown_reason", "created_at", "lifted_at")
    list_filter = ("kind", ("lifted_at", HappenedFilter), ("session", PlaceFilter))
    list_select_related = ("user", "session", "by")
    search_fields = ("user__username", "by__username", "reason", "session__title")
    uuid_search_fields = ("session_id", "user_id", "by_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)

    @admin.display(description="session", ordering="session")
    def place(self, sanction: models.Sanction) -> str:
        """In which show."""
        return isolated(sanction.session.title) if sanction.session else "Everywhere"

    @admin.display(description="reason")
    def shown_reason(self, sanction: models.Sanction) -> str:
        """Somebody's text."""
        return isolated(sanction.reason)


@admin.register(models.BlockedTerm)
class BlockedTermAdmin(ReadOnlyAdmin):
    """What may not be written."""

    not_yet = "Words that nobody may write will appear here; they cannot be blocked yet."
    list_display = ("shown_term", "place", "created_by", "created_at")
    list_filter = (("session", PlaceFilter),)
    list_select_related = ("session", "created_by")
    search_fields = ("term", "session__title")
    uuid_search_fields = ("session_id", "created_by_id")

    @admin.display(description="term", ordering="term")
    def shown_term(self, blocked: models.BlockedTerm) -> str:
        """Somebody's text."""
        return isolated(blocked.term)

    @admin.display(description="session", ordering="session")
    def place(self, blocked: models.BlockedTerm) -> str:
        """In which show."""
        return isolated(blocked.session.title) if blocked.session else "Everywhere"


@admin.register(models.MessageReport)
class MessageReportAdmin(ReadOnlyAdmin):
    """The queue of reports; those that nobody has looked at are one click away."""

    not_yet = "Messages that people report will appear here; nobody can report one yet."
    list_display = ("text", "author", "shown_reason", "reporter", "status", "created_at", "handled_by")
    list_display_links = ("text", "created_at")
    list_filter = ("status",)
    list_select_related = ("message", "reporter", "handled_by")
    search_fields = ("message__content", "message__username", "reporter__username", "reason")
    uuid_search_fields = ("message_id", "message__session_id", "reporter_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)

    @admin.display(description="message")
    def text(self, report: models.MessageReport) -> str:
        """What was said."""
        return excerpt(report.message.content)

    @admin.display(description="author")
    def author(self, report: models.MessageReport) -> str:
        """Who said it."""
        return isolated(report.message.username)

    @admin.display(description="reason")
    def shown_reason(self, report: models.MessageReport) -> str:
        """Somebody's text."""
        return isolated(report.reason)
