"""Chat messages and their removal, for moderators."""

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
    isolated,
    report_done,
    selected_names,
)

EXCERPT_LENGTH = 120


def excerpt(text: str) -> str:
    """Return the beginning of a text."""
    return isolated(Truncator(text).chars(EXCERPT_LENGTH))


@admin.register(models.ChatMessage)
class ChatMessageAdmin(ReadOnlyAdmin):
    """Messages. A removed message is hidden from everyone and kept here."""

    appears = "Chat messages appear here."
    list_display = ("text", "author", "session", "created_at", "message_type", "removed")
    list_display_links = ("text", "created_at")
    list_filter = (("removed_at", HappenedFilter), "message_type", "session__state")
    list_select_related = ("session", "removed_by")
    search_fields = ("content", "username", "display_name", "session__title")
    uuid_search_fields = ("id", "session_id", "user_id")
    ordering = ("-created_at", "-seq")
    actions = ("remove_messages",)

    def is_open(self, row: models.ChatMessage) -> bool:
        """Removed messages allow no further action."""
        return row.removed_at is None

    @admin.display(description="author", ordering="username")
    def author(self, message: models.ChatMessage) -> str:
        """Return the display name and the username."""
        if message.display_name == message.username:
            return isolated(message.username)
        return isolated(f"{message.display_name} ({message.username})")

    @admin.display(description="text")
    def text(self, message: models.ChatMessage) -> str:
        """Return an excerpt of the message."""
        return excerpt(message.content)

    @admin.display(description="removed", ordering="removed_at")
    def removed(self, message: models.ChatMessage) -> str | None:
        """Return the person who removed the message."""
        if message.removed_at is None:
            return None
        return f"by {message.removed_by}" if message.removed_by else "yes"

    @admin.action(description="Remove selected messages", permissions=["moderate"])
    def remove_messages(self, request: HttpRequest, queryset: QuerySet[models.ChatMessage]) -> None:
        """Remove each selected message. Those already removed stay unchanged."""
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
    """The read positions of people."""

    list_display = ("user", "session", "seq")
    list_select_related = ("user", "session")
    search_fields = ("user__username", "session__title")
    uuid_search_fields = ("session_id", "user_id")
    ordering = ("-id",)
