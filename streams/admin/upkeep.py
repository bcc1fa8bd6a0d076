"""The read-only page of the janitor."""

from django.contrib import admin

from livestream.read_only_admin import ReadOnlyAdmin
from streams import models


@admin.register(models.JanitorLease)
class JanitorLeaseAdmin(ReadOnlyAdmin):
    """The process that currently holds each periodic job."""

    list_display = ("name", "holder", "until")
