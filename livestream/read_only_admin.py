"""Read-only admin pages for moderators, with actions that call services."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _TabularInline = admin.TabularInline


class HappenedFilter(admin.EmptyFieldListFilter):
    """A filter on whether a timestamp is set, as Yes or No. Django's own filter calls a timestamp "empty"."""

    answers = ("No", "Yes")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.title = str(self.title).removesuffix(" at")

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Return all choices with their labels."""
        for choice, answer in zip(super().choices(changelist), ("All", *self.answers), strict=True):
            yield {**choice, "display": answer}


class ReadOnlyAdmin(_ModelAdmin):
    """An admin page of rows that only services write; none can be added, changed or deleted by hand.

    `uuid_search_fields` are compared as a whole with an id in the search.
    """

    uuid_search_fields: tuple[str, ...] = ()
    # Shown on an empty list: the rows that will appear there.
    appears = ""
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        """Return whether the person may use the actions here. The "change" permission stands for that, because rows
        are read-only."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Return Django's list page with the text for an empty list."""
        return super().changelist_view(request, {"appears": self.appears, **(extra_context or {})})

    def is_open(self, row: Any) -> bool:
        """Return whether an action can apply to the row. Other rows cannot be selected."""
        return True

    @admin.display(
        description=mark_safe('<input type="checkbox" id="action-toggle" aria-label="Select all">'), empty_value=""
    )
    def action_checkbox(self, obj: Any) -> SafeString:
        """Return Django's checkbox if an action can apply to the row."""
        return super().action_checkbox(obj) if self.is_open(obj) else SafeString()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows with this id if the term is one, otherwise Django's search."""
        wanted = _as_uuid(search_term)
        if wanted is None or not self.uuid_search_fields:
            return super().get_search_results(request, queryset, search_term)
        condition = Q()
        for name in self.uuid_search_fields:
            condition |= Q(**{name: wanted})
        return queryset.filter(condition), False


class ReadOnlyInline(_TabularInline):
    """Read-only rows related to the one on the page."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


def _as_uuid(term: str) -> UUID | None:
    try:
        return UUID(term.strip())
    except ValueError:
        return None


def isolated(text: str) -> str:
    """Return user text isolated, so that it cannot change the direction of the surrounding text."""
    return format_html('<bdi dir="auto">{}</bdi>', text)


def report_done(
    model_admin: _ModelAdmin, request: HttpRequest, *, done: int, what: str, refusals: dict[str, str]
) -> None:
    """Show the moderator the result of an action, and the reason for each refused row (by its name)."""
    if done:
        model_admin.message_user(request, f"{what}: {done}.", messages.SUCCESS)
    for name, reason in refusals.items():
        model_admin.message_user(request, f"{name}: {reason}", messages.ERROR)


def selected_names(queryset: QuerySet[Any]) -> dict[UUID, str]:
    """Return the selected rows' names by id, read before an action changes any of them."""
    rows: list[Model] = list(queryset)
    return {row.pk: str(row) for row in rows}
