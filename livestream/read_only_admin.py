"""Admin pages on which moderators read, and act through actions that call services."""

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
    """Whether what a moment is kept of has happened, in words; Django's own calls a moment "empty"."""

    answers = ("No", "Yes")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.title = str(self.title).removesuffix(" at")

    def choices(self, changelist: Any) -> Iterator[Any]:
        """All, and the two answers."""
        for choice, answer in zip(super().choices(changelist), ("All", *self.answers), strict=True):
            yield {**choice, "display": answer}


class ReadOnlyAdmin(_ModelAdmin):
    """Rows that services write: nobody adds, changes or deletes one by hand.

    Whoever may see them may also copy an id into the search: `uuid_search_fields` are compared whole.
    """

    uuid_search_fields: tuple[str, ...] = ()
    # Shown on an empty list: what will appear there.
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
        """Whether the person may use the actions here: that is what "change" means for rows that nobody edits."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's list, with the word about an empty one."""
        return super().changelist_view(request, {"appears": self.appears, **(extra_context or {})})

    def is_open(self, row: Any) -> bool:
        """Whether any action could do something to a row; others cannot be selected."""
        return True

    @admin.display(
        description=mark_safe('<input type="checkbox" id="action-toggle" aria-label="Select all">'), empty_value=""
    )
    def action_checkbox(self, obj: Any) -> SafeString:
        """Django's, where there is something to be done."""
        return super().action_checkbox(obj) if self.is_open(obj) else SafeString()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Django's search, or the rows with this id when the term is one."""
        wanted = _as_uuid(search_term)
        if wanted is None or not self.uuid_search_fields:
            return super().get_search_results(request, queryset, search_term)
        condition = Q()
        for name in self.uuid_search_fields:
            condition |= Q(**{name: wanted})
        return queryset.filter(condition), False


class ReadOnlyInline(_TabularInline):
    """Rows that belong to the one on the page; only to be read."""

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
    """User text in a list, isolated so that it cannot change the direction of the text around it."""
    return format_html('<bdi dir="auto">{}</bdi>', text)


def report_done(
    model_admin: _ModelAdmin, request: HttpRequest, *, done: int, what: str, refusals: dict[str, str]
) -> None:
    """Tell the moderator what an action did, and for each refused row (by its name) why."""
    if done:
        model_admin.message_user(request, f"{what}: {done}.", messages.SUCCESS)
    for name, reason in refusals.items():
        model_admin.message_user(request, f"{name}: {reason}", messages.ERROR)


def selected_names(queryset: QuerySet[Any]) -> dict[UUID, str]:
    """The selected rows' ids with what they are called, read before an action changes any of them."""
    rows: list[Model] = list(queryset)
    return {row.pk: str(row) for row in rows}
