"""The moderators' admin site."""

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig


class LivestreamAdminSite(admin.AdminSite):
    """Django's admin under the product's own name."""

    site_header = "Livestream"
    site_title = "Livestream admin"
    index_title = "Moderation"


class LivestreamAdminConfig(AdminConfig):
    """Makes the site above the default one."""

    default_site = "livestream.admin_site.LivestreamAdminSite"
