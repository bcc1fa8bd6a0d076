"""Participants of shows for moderators: move off the stage, remove, ban."""

from collections.abc import Callable

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from livestream.actors import actor_of
from livestream.errors import DomainError
from livestream.read_only_admin import ReadOnlyAdmin, isolated, report_done
from streams import models
from streams.admin.session import SESSION_SEARCH
from streams.services.people.removal import participant_ban, participant_kick, participant_readmit
from streams.services.stage.guest_requests import guest_request_reject
from streams.services.stage.participation import stage_unseat
from streams.state import OVER


@admin.register(models.Participant)
class ParticipantAdmin(ReadOnlyAdmin):
    """Participants of sessions."""

    appears = "Logged-in viewers appear here once they open a show."
    list_display = ("user", "session", "role", "status", "joined_at", "left_at", "muted")
    list_filter = ("role", "status", "audio_muted", "video_muted")
    list_select_related = ("user", "session")
    search_fields = ("user__username", "user__display_name", "session__title")
    uuid_search_fields = ("session_id", "user_id")
    date_hierarchy = "joined_at"
    ordering = ("-id",)
    actions = ("remove_from_stage", "remove_from_show", "ban_from_show", "let_back_in")

    def is_open(self, row: models.Participant) -> bool:
        """Return whether the show is open."""
        return row.session.state not in OVER

    @admin.display(description="muted")
    def muted(self, person: models.Participant) -> str | None:
        """Return the muted kinds."""
        off = {"microphone": person.audio_muted, "camera": person.video_muted}
        return ", ".join(name for name, is_off in off.items() if is_off) or None

    @admin.action(description="Remove selected people from the stage", permissions=["moderate"])
    def remove_from_stage(self, request: HttpRequest, queryset: QuerySet[models.Participant]) -> None:
        """Move to the audience."""
        self._each(request, queryset, stage_unseat, "People removed from the stage")

    @admin.action(description="Remove selected people from their shows", permissions=["moderate"])
    def remove_from_show(self, request: HttpRequest, queryset: QuerySet[models.Participant]) -> None:
        """Remove until the host lets them back in."""
        self._each(request, queryset, participant_kick, "People removed")

    @admin.action(description="Ban selected people from their shows", permissions=["moderate"])
    def ban_from_show(self, request: HttpRequest, queryset: QuerySet[models.Participant]) -> None:
        """Ban."""
        self._each(request, queryset, participant_ban, "People banned")

    @admin.action(description="Let selected people back in", permissions=["moderate"])
    def let_back_in(self, request: HttpRequest, queryset: QuerySet[models.Participant]) -> None:
        """Undo removals and bans."""
        self._each(request, queryset, participant_readmit, "People let back in")

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[models.Participant],
        change: Callable[..., models.Participant],
        what: str,
    ) -> None:
        done, refusals = 0, {}
        for person in queryset.select_related("user"):
            try:
                change(session_id=person.session_id, actor=actor_of(request.user), user_id=person.user_id)
            except DomainError as error:
                refusals[person.user.username] = error.message
            else:
                done += 1
        report_done(self, request, done=done, what=what, refusals=refusals)


@admin.register(models.SessionModerator)
class SessionModeratorAdmin(ReadOnlyAdmin):
    """Moderators of sessions."""

    list_display = ("user", "session", "created_at")
    list_select_related = ("user", "session")
    search_fields = ("user__username", *SESSION_SEARCH)
    uuid_search_fields = ("session_id", "user_id")
    ordering = ("-id",)


@admin.register(models.GuestRequest)
class GuestRequestAdmin(ReadOnlyAdmin):
    """Guest requests and invitations."""

    appears = "Guest requests and invitations appear here."
    list_display = ("user", "session", "status", "shown_message", "responder", "created_at", "answered_at")
    list_filter = ("status",)
    list_select_related = ("user", "session", "responder")
    search_fields = ("user__username", "message", *SESSION_SEARCH)
    uuid_search_fields = ("id", "session_id", "user_id")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    actions = ("decline_requests",)

    def is_open(self, row: models.GuestRequest) -> bool:
        """Only pending requests; invitations are answered by the person invited."""
        return row.status == models.GuestRequestStatus.PENDING and row.invited_by_id is None

    @admin.action(description="Decline selected requests", permissions=["moderate"])
    def decline_requests(self, request: HttpRequest, queryset: QuerySet[models.GuestRequest]) -> None:
        """Reject pending requests."""
        done, refusals = 0, {}
        for request_row in queryset.select_related("user"):
            try:
                guest_request_reject(
                    session_id=request_row.session_id, request_id=request_row.pk, actor=actor_of(request.user)
                )
            except DomainError as error:
                refusals[request_row.user.username] = error.message
            else:
                done += 1
        report_done(self, request, done=done, what="Requests declined", refusals=refusals)

    @admin.display(description="message")
    def shown_message(self, request: models.GuestRequest) -> str:
        """Return the message isolated, because it is user text."""
        return isolated(request.message)
