"""Recordings and posts, to look at."""

from django.contrib import admin

from livestream.read_only_admin import HappenedFilter, ReadOnlyAdmin, isolated
from streams import models
from streams.admin.session import SESSION_SEARCH

RECORDINGS_LATER = "Recordings and replays come later; nothing makes these yet."


@admin.register(models.Recording)
class RecordingAdmin(ReadOnlyAdmin):
    """What was kept."""

    not_yet = RECORDINGS_LATER
    list_display = ("session", "status", "duration_seconds", "size_bytes", "started_at", "finished_at", "error")
    list_filter = ("status",)
    list_select_related = ("session",)
    search_fields = (*SESSION_SEARCH, "provider_asset_id")
    uuid_search_fields = ("id", "session_id")
    date_hierarchy = "started_at"


@admin.register(models.Post)
class PostAdmin(ReadOnlyAdmin):
    """Replay pages."""

    not_yet = RECORDINGS_LATER
    list_display = ("shown_title", "session", "published_at", "created_at")
    list_filter = (("published_at", HappenedFilter),)
    list_select_related = ("session",)
    search_fields = ("title", "body", *SESSION_SEARCH)
    uuid_search_fields = ("id", "session_id")
    date_hierarchy = "created_at"

    @admin.display(description="title", ordering="title")
    def shown_title(self, post: models.Post) -> str:
        """Somebody's text."""
        return isolated(post.title)
