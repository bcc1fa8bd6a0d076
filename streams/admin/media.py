"""Rooms, uids and health at the providers, to look at."""

from django.contrib import admin

from livestream.read_only_admin import HappenedFilter, ReadOnlyAdmin
from streams import models


@admin.register(models.ProviderHealth)
class ProviderHealthAdmin(ReadOnlyAdmin):
    """Whether calls to the media providers pass; a breaker that is open leaves a provider alone for a while."""

    list_display = ("provider", "state", "reason", "failures", "changed_at", "process")
    list_filter = ("state",)


@admin.register(models.MediaUid)
class MediaUidAdmin(ReadOnlyAdmin):
    """Numbers by which providers know people."""

    list_display = ("number", "user", "session", "given_at", "retired_at")
    list_filter = (("retired_at", HappenedFilter),)
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
    list_display = ("created_at", "user", "uid", "session", "provider", "role")
    list_filter = ("provider", "role")
    list_select_related = ("user", "session")
    search_fields = ("user__username", "session__title", "channel_id", "uid")
    uuid_search_fields = ("session_id", "user_id")


@admin.register(models.ProviderDelivery)
class ProviderDeliveryAdmin(ReadOnlyAdmin):
    """What providers reported."""

    list_display = ("received_at", "provider", "type", "delivery_id", "applied_at")
    list_filter = ("provider", "type", ("applied_at", HappenedFilter))
    search_fields = ("delivery_id", "type")
    date_hierarchy = "received_at"
    ordering = ("-id",)
