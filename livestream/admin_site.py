"""The moderators' admin site."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest
from django.urls import reverse

# The models that moderators use, in order of need. All others are listed under INSIDE.
SECTIONS = {
    "Moderation": (
        "streams.StreamSession",
        "chat.ChatMessage",
        "streams.Participant",
        "streams.GuestRequest",
        "accounts.User",
        "streams.AuditEntry",
        "auth.Group",
    ),
    "Shows": (
        "streams.SessionSettings",
        "streams.SessionModerator",
    ),
}
INSIDE = "Inside, read only"


class LivestreamAdminSite(admin.AdminSite):
    """Django's admin under the product's name, ordered for moderators."""

    site_header = "Livestream"
    site_title = "Livestream admin"
    index_title = "Overview"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the models that the person may see, by section. The page of a single app stays Django's."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        models = {model["model"]._meta.label: model for app in apps for model in app["models"]}
        sections = {
            name: [models.pop(label) for label in labels if label in models] for name, labels in SECTIONS.items()
        }
        sections[INSIDE] = sorted(models.values(), key=lambda model: str(model["name"]))
        return [_section(name, rows) for name, rows in sections.items() if rows]


def _section(name: str, models: list[Any]) -> dict[str, Any]:
    label = name.partition(",")[0].lower()
    return {
        "name": name,
        "app_label": label,
        "app_url": f"{reverse('admin:index')}#{label}",
        "has_module_perms": True,
        "models": models,
    }


class LivestreamAdminConfig(AdminConfig):
    """Makes LivestreamAdminSite the default admin site."""

    default_site = "livestream.admin_site.LivestreamAdminSite"
