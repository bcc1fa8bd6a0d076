"""Reactions, gifts and wallets, to look at."""

from django.contrib import admin

from livestream.read_only_admin import ReadOnlyAdmin
from streams import models
from streams.admin.session import SESSION_SEARCH

GIFTS_LATER = "Gifts and wallets come later; nothing makes these yet."


@admin.register(models.ReactionTotal)
class ReactionTotalAdmin(ReadOnlyAdmin):
    """How often people reacted."""

    not_yet = "Nobody can react yet."
    list_display = ("session", "kind", "count")
    list_filter = ("kind",)
    list_select_related = ("session",)
    search_fields = SESSION_SEARCH
    uuid_search_fields = ("session_id",)
    ordering = ("-id",)


@admin.register(models.Gift)
class GiftAdmin(ReadOnlyAdmin):
    """What can be given."""

    not_yet = GIFTS_LATER
    list_display = ("name", "slug", "price", "icon", "active")
    list_filter = ("active",)
    search_fields = ("name", "slug")


@admin.register(models.GiftTransaction)
class GiftTransactionAdmin(ReadOnlyAdmin):
    """Who gave what to whom."""

    not_yet = GIFTS_LATER
    list_display = ("created_at", "gift", "quantity", "amount", "sender", "recipient", "session")
    list_filter = ("gift",)
    list_select_related = ("gift", "sender", "recipient", "session")
    search_fields = ("sender__username", "recipient__username", "session__title", "client_id")
    uuid_search_fields = ("id", "session_id", "sender_id", "recipient_id")
    date_hierarchy = "created_at"


@admin.register(models.Wallet)
class WalletAdmin(ReadOnlyAdmin):
    """People's coins."""

    not_yet = GIFTS_LATER
    list_display = ("user", "balance")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    uuid_search_fields = ("user_id",)


@admin.register(models.WalletEntry)
class WalletEntryAdmin(ReadOnlyAdmin):
    """Every booking, both sides of it."""

    not_yet = GIFTS_LATER
    list_display = ("created_at", "booking", "account", "owner", "amount", "gift")
    list_filter = ("account",)
    list_select_related = ("wallet__user", "gift__gift")
    search_fields = ("wallet__user__username", "account")
    uuid_search_fields = ("booking", "wallet_id", "gift_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)

    @admin.display(description="wallet", empty_value="-")
    def owner(self, entry: models.WalletEntry) -> str | None:
        """Whose wallet; none for the counter account."""
        return str(entry.wallet.user) if entry.wallet else None
