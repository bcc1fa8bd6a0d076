"""Credentials that were handed out: who holds which, never the secret nor its hash."""

from django.contrib import admin

from livestream.read_only_admin import HappenedFilter, ReadOnlyAdmin
from tokens import models


@admin.register(models.IssuedToken)
class IssuedTokenAdmin(ReadOnlyAdmin):
    """Media tokens."""

    exclude = ("token_hash",)
    list_display = ("created_at", "user", "session", "provider", "role", "expires_at", "revoked_at")
    list_filter = ("provider", "role", ("revoked_at", HappenedFilter))
    list_select_related = ("user", "session")
    search_fields = ("user__username", "session__title", "channel_id", "uid")
    uuid_search_fields = ("id", "session_id", "user_id")
    date_hierarchy = "created_at"


@admin.register(models.StreamKey)
class StreamKeyAdmin(ReadOnlyAdmin):
    """Keys of encoders."""

    exclude = ("key_hash",)
    not_yet = "Nothing gives these out yet. Encoders send with media tokens."
    list_display = ("user", "hint", "session", "created_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", HappenedFilter),)
    list_select_related = ("user", "session")
    search_fields = ("user__username", "hint", "session__title")
    uuid_search_fields = ("id", "session_id", "user_id")
    date_hierarchy = "created_at"
