"""Read-only pages of rooms, uids and health at the providers."""

from django.contrib import admin

from livestream.read_only_admin import HappenedFilter, ReadOnlyAdmin
from streams import models


@admin.register(models.ProviderHealth)
class ProviderHealthAdmin(ReadOnlyAdmin):
    """The state of the circuit breaker for each media provider."""

    list_display = ("provider", "state", "reason", "failures", "changed_at", "process")
    list_filter = ("state",)


@admin.register(models.MediaUid)
class MediaUidAdmin(ReadOnlyAdmin):
    """Numeric uids of participants at providers."""

    list_display = ("number", "user", "session", "given_at", "retired_at")
    list_filter = (("retired_at", HappenedFilter),)
    list_select_related = ("user", "session")
    search_fields = ("=number", "user__username", "session__title")
    uuid_search_fields = ("session_id", "user_id")


@admin.register(models.ProviderRoom)
class ProviderRoomAdmin(ReadOnlyAdmin):
    """Rooms created at providers."""

    list_display = ("channel_id", "provider", "session", "claimed_at", "ready_at")
    list_filter = ("provider",)
    list_select_related = ("session",)
    search_fields = ("channel_id", "session__title")
    uuid_search_fields = ("session_id",)


@admin.register(models.MediaResource)
class MediaResourceAdmin(ReadOnlyAdmin):
    """Open connections at providers behind this product's own address."""

    exclude = ("url", "token_hash")
    list_display = ("created_at", "user", "uid", "session", "provider", "role")
    list_filter = ("provider", "role")
    list_select_related = ("user", "session")
    search_fields = ("user__username", "session__title", "channel_id", "uid")
    uuid_search_fields = ("session_id", "user_id")


@admin.register(models.ProviderDelivery)
class ProviderDeliveryAdmin(ReadOnlyAdmin):
    """Webhooks received from providers."""

    list_display = ("received_at", "provider", "type", "delivery_id", "applied_at")
    list_filter = ("provider", "type", ("applied_at", HappenedFilter))
    search_fields = ("delivery_id", "type")
    date_hierarchy = "received_at"
    ordering = ("-id",)
