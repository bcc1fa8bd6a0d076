"""The stage over HTTP: parse, call a service, render."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from livestream.actors import actor_of
from livestream.rest import serializer_errors, validated
from livestream.schema import ErrorOut
from streams.api.serializers import ParticipantOut
from streams.api.stage_serializers import (
    Ask,
    Flags,
    GuestRequestFilter,
    GuestRequestOut,
    Invitee,
    Muted,
    Muting,
    Refusal,
    Unmuting,
)
from streams.api.views import SessionPages
from streams.models import GuestRequest, Participant
from streams.payloads import participant_payload, request_payload
from streams.permissions import require_moderate
from streams.selectors import invitation_rows, queue_position, queue_rows, request_now, session_get
from streams.services.people import moderators, removal
from streams.services.stage import guest_requests, invitations, participation

REFUSALS = {400: ErrorOut, 401: ErrorOut, 403: ErrorOut, 404: ErrorOut, 409: ErrorOut}


def _shown(request: GuestRequest, status: int = 200) -> Response:
    return Response(request_now(request, now=timezone.now()), status=status)


class QueuePages(SessionPages):
    """Pages of the queue, oldest first."""

    ordering = ("created_at", "id")


class GuestRequestsView(APIView):
    """Guest requests."""

    pagination_class = QueuePages  # for the schema

    @extend_schema(
        operation_id="guest_request_make",
        request=Ask,
        responses={200: GuestRequestOut, 201: GuestRequestOut, 429: ErrorOut, **REFUSALS},
    )
    def post(self, request: Request, session_id: UUID) -> Response:
        """Request to come on stage. 200 with the pending request if there is one."""
        message = validated(Ask, request).get("message", "")
        guest_request, fresh = guest_requests.guest_request_make(
            session_id=session_id, actor=actor_of(request.user), message=message
        )
        return _shown(guest_request, 201 if fresh else 200)

    @extend_schema(
        operation_id="guest_request_queue",
        parameters=[
            GuestRequestFilter,
            OpenApiParameter("cursor", OpenApiTypes.STR),
            OpenApiParameter("limit", OpenApiTypes.INT),
        ],
        responses={200: GuestRequestOut(many=True), **REFUSALS},
    )
    def get(self, request: Request, session_id: UUID) -> Response:
        """Pending requests or invitations in order; for host, co-hosts and moderators."""
        wanted = GuestRequestFilter(data=request.query_params)
        if not wanted.is_valid():
            raise serializer_errors(wanted.errors)
        require_moderate(actor=actor_of(request.user), session=session_get(session_id))
        pages = QueuePages()
        if wanted.validated_data.get("invited"):
            page = pages.paginate_queryset(invitation_rows(session_id), request, view=self) or []
            return pages.get_paginated_response([request_payload(row) for row in page])
        page = pages.paginate_queryset(queue_rows(session_id), request, view=self) or []
        first = queue_position(page[0]) if page else 1
        return pages.get_paginated_response(
            [request_payload(row, position=position) for position, row in enumerate(page, start=first)]
        )


class InviteView(APIView):
    """Invitations to come on stage."""

    @extend_schema(
        operation_id="guest_invite",
        request=Invitee,
        responses={200: GuestRequestOut, 201: GuestRequestOut, **REFUSALS},
    )
    def post(self, request: Request, session_id: UUID) -> Response:
        """Invite a participant on stage. 200 if they are already invited."""
        user_id = validated(Invitee, request)["user_id"]
        guest_request, fresh = invitations.guest_invite(
            session_id=session_id, actor=actor_of(request.user), user_id=user_id
        )
        return _shown(guest_request, 201 if fresh else 200)


def _answer_view(
    answer: Callable[..., GuestRequest], description: str, takes: type[Serializer[Any]] | None = None
) -> type[APIView]:
    """Return a view for one answer to a request. Repeating the answer changes nothing."""

    class AnswerView(APIView):
        @extend_schema(description=description, request=takes, responses={200: GuestRequestOut, **REFUSALS})
        def post(self, request: Request, session_id: UUID, request_id: UUID) -> Response:
            data = validated(takes, request) if takes else {}
            actor = actor_of(request.user)
            return _shown(answer(session_id=session_id, request_id=request_id, actor=actor, **data))

    return AnswerView


def _person_view(
    change: Callable[..., Participant], description: str, takes: type[Serializer[Any]] | None = None
) -> type[APIView]:
    """Return a view for one action on one participant."""

    class PersonView(APIView):
        @extend_schema(description=description, request=takes, responses={200: ParticipantOut, **REFUSALS})
        def post(self, request: Request, session_id: UUID, user_id: UUID) -> Response:
            data = validated(takes, request) if takes else {}
            actor = actor_of(request.user)
            return Response(participant_payload(change(session_id=session_id, actor=actor, user_id=user_id, **data)))

    return PersonView


ANSWERS: dict[str, type[APIView]] = {
    "approve": _answer_view(guest_requests.guest_request_approve, "Approve a guest request."),
    "reject": _answer_view(guest_requests.guest_request_reject, "Decline a guest request.", Refusal),
    "cancel": _answer_view(guest_requests.guest_request_cancel, "Cancel a guest request or an invitation."),
    "accept": _answer_view(invitations.guest_accept, "Accept an invitation."),
    "decline": _answer_view(invitations.guest_decline, "Decline an invitation."),
}
DEEDS: dict[str, type[APIView]] = {
    "mute": _person_view(participation.stage_mute, "Mute a participant's microphone, camera or screen.", Muting),
    "unmute": _person_view(participation.stage_unmute, "Unmute oneself, or ask a participant to.", Unmuting),
    "stop-screen": _person_view(participation.stage_stop_screen, "Stop a participant's screen share."),
    "remove": _person_view(participation.stage_unseat, "Remove a participant from the stage; they continue to watch."),
    "promote": _person_view(participation.stage_promote, "A viewer becomes a guest, a guest a co-host."),
    "demote": _person_view(participation.stage_demote, "A co-host becomes a guest, a guest a viewer."),
    "appoint": _person_view(moderators.moderator_appoint, "Appoint a moderator."),
    "dismiss": _person_view(moderators.moderator_dismiss, "Dismiss a moderator."),
    "kick": _person_view(removal.participant_kick, "Remove a participant until the host lets them back in.", Refusal),
    "ban": _person_view(removal.participant_ban, "Ban a participant.", Refusal),
}


class StageLeaveView(APIView):
    """Leave the stage."""

    @extend_schema(operation_id="stage_leave", request=None, responses={200: ParticipantOut, **REFUSALS})
    def post(self, request: Request, session_id: UUID) -> Response:
        """Leave the stage and continue to watch."""
        return Response(
            participant_payload(participation.stage_leave(session_id=session_id, actor=actor_of(request.user)))
        )


class StageMediaView(APIView):
    """The caller's own microphone, camera and screen."""

    @extend_schema(operation_id="stage_media", request=Flags, responses={200: ParticipantOut, **REFUSALS})
    def post(self, request: Request, session_id: UUID) -> Response:
        """Set the caller's own flags. Omitted ones stay unchanged."""
        flags = validated(Flags, request)
        person = participation.stage_media_set(session_id=session_id, actor=actor_of(request.user), **flags)
        return Response(participant_payload(person))


class StageMuteAllView(APIView):
    """Everyone on stage."""

    @extend_schema(operation_id="stage_mute_all", request=Muting, responses={200: Muted, **REFUSALS})
    def post(self, request: Request, session_id: UUID) -> Response:
        """Mute everyone except the host and the caller. Returns the muted participants."""
        kind = validated(Muting, request)["kind"]
        people = participation.stage_mute_all(session_id=session_id, actor=actor_of(request.user), kind=kind)
        return Response({"participants": [participant_payload(person) for person in people]})
