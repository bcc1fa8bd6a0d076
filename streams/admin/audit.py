"""The audit log, for moderators."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from livestream.identifiers import as_uuid
from livestream.read_only_admin import ReadOnlyAdmin, isolated
from streams import models
from streams.audit_labels import ACTIONS, action_words, details_words


class ActionFilter(admin.AllValuesFieldListFilter):
    """A filter on actions, in words."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Return Django's choices with the list's names for them."""
        for choice in super().choices(changelist):
            yield {**choice, "display": action_words(str(choice["display"]))}


@admin.register(models.AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Audit entries: actor, action and target."""

    appears = "Actions by hosts, moderators and staff appear here."
    list_display = ("created_at", "what", "actor", "target_user", "session", "circumstances")
    list_display_links = ("created_at", "what")
    list_filter = (("action", ActionFilter),)
    list_select_related = ("actor", "target_user", "session")
    search_fields = ("action", "actor__username", "target_user__username", "session__title")
    uuid_search_fields = ("session_id", "actor_id", "target_user_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    fields = ("created_at", "what", "actor", "target_user", "session", "circumstances", "people")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search also by the words that the list shows for an action."""
        found, doubled = super().get_search_results(request, queryset, search_term)
        wanted = search_term.strip().casefold()
        named = [action for action, words in ACTIONS.items() if wanted and wanted in words.casefold()]
        return (found | queryset.filter(action__in=named), doubled) if named else (found, doubled)

    @admin.display(description="action", ordering="action")
    def what(self, entry: models.AuditEntry) -> str:
        """Return the action in words."""
        return action_words(entry.action)

    @admin.display(description="details")
    def circumstances(self, entry: models.AuditEntry) -> str:
        """Return the reason and other details, or a link to a removed message."""
        if message := entry.details.get("message"):
            address = reverse("admin:chat_chatmessage_change", args=[message])
            return format_html('<a href="{}">Read the message</a>', address)
        return isolated(details_words(entry.details))

    @admin.display(description="people concerned")
    def people(self, entry: models.AuditEntry) -> str | None:
        """Return the names of the people an action on several people applied to."""
        ids = [one for one in map(as_uuid, entry.details.get("people", [])) if one is not None]
        names = get_user_model().objects.filter(pk__in=ids).order_by("username").values_list("username", flat=True)
        return isolated(", ".join(names)) if ids else None
