"""Issued credentials and their holders, without secrets or hashes."""

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
