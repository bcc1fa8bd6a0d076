"""The admin page of the outbox."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from livestream.models import OutboxTask
from livestream.outbox import outbox_retry
from livestream.read_only_admin import HappenedFilter, ReadOnlyAdmin, report_done


@admin.register(OutboxTask)
class OutboxTaskAdmin(ReadOnlyAdmin):
    """Pending provider calls, and those that were given up."""

    appears = "Calls to providers that failed, or have not been made yet."
    list_display = ("kind", "key", "target", "created_at", "attempts", "due_at", "last_error", "gave_up_at")
    list_filter = ("kind", "target", ("gave_up_at", HappenedFilter))
    search_fields = ("key", "last_error")
    actions = ("try_again",)

    @admin.action(description="Try again", permissions=["moderate"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[OutboxTask]) -> None:
        """Retry the selected calls within seconds, including those that were given up."""
        report_done(self, request, done=outbox_retry(tasks=queryset), what="Calls to be made again", refusals={})
