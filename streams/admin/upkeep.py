"""The janitor, to look at."""

from django.contrib import admin

from livestream.read_only_admin import ReadOnlyAdmin
from streams import models


@admin.register(models.JanitorLease)
class JanitorLeaseAdmin(ReadOnlyAdmin):
    """Which process does what at the moment."""

    list_display = ("name", "holder", "until")
