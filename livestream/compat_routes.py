"""The original names of the API, under /live/: each passes its request to the matching view under /api/v1/.

Ids that are part of those addresses are part of the body here. All else, including permissions and errors, is the
view's.
"""

from collections.abc import Callable
from typing import Any

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat.api import MessagesView
from chat.serializers import Message, MessagePost
from livestream.actors import actor_of
from livestream.rest import validated
from livestream.schema import ErrorOut
from streams.api.serializers import ParticipantOut, Session
from streams.api.stage import ANSWERS, DEEDS, REFUSALS, GuestRequestsView
from streams.api.stage_serializers import Ask, GuestRequestOut, Refusal
from streams.api.views import SessionEndView, SessionJoinView, SessionPages, SessionStartView
from streams.selectors import listed, live_sessions


class SessionRef(serializers.Serializer[Any]):
    """A session by its id."""

    session = serializers.UUIDField()


class AskThere(SessionRef, Ask):
    """A guest request for a session."""


class AnswerThere(SessionRef, Refusal):
    """The answer to a guest request, by its id."""

    request = serializers.UUIDField()
    answer = serializers.ChoiceField(choices=list(ANSWERS))


class DeedThere(SessionRef, Refusal):
    """A moderation action on a person, by their id; `kind` for `mute` and `unmute`, `reason` for `kick` and `ban`."""

    user = serializers.UUIDField()
    action = serializers.ChoiceField(choices=list(DEEDS))
    kind = serializers.CharField(max_length=10, required=False)  # the allowed values depend on the action


class PostThere(SessionRef, MessagePost):
    """A message to a session."""


def _handed_on(
    takes: type[serializers.Serializer[Any]], responses: dict[int, Any], view: Callable[[dict[str, Any]], Any]
) -> type[APIView]:
    """Return a view that passes a POST to the view that `view` selects for the body."""

    class Original(APIView):
        @extend_schema(tags=["live"], request=takes, responses={**responses, **REFUSALS})
        def post(self, request: Request) -> Response:
            data = validated(takes, request)
            ids = {f"{name}_id": data[name] for name in ("session", "request", "user") if name in data}
            response: Response = view(data)().post(request, **ids)
            return response

    return Original


class ActiveView(APIView):
    """Active shows."""

    permission_classes = [AllowAny]
    pagination_class = SessionPages  # for the schema

    @extend_schema(
        tags=["live"],
        parameters=[OpenApiParameter("cursor", OpenApiTypes.STR), OpenApiParameter("limit", OpenApiTypes.INT)],
        responses={200: Session(many=True)},
    )
    def get(self, request: Request) -> Response:
        """Return the active public shows, newest first."""
        pages = SessionPages()
        page = pages.paginate_queryset(live_sessions(), request, view=self) or []
        return pages.get_paginated_response(listed(page, actor=actor_of(request.user), now=timezone.now()))


ROUTES: dict[str, type[APIView]] = {
    "start": _handed_on(SessionRef, {200: Session}, lambda _: SessionStartView),
    "join": _handed_on(SessionRef, {200: ParticipantOut}, lambda _: SessionJoinView),
    "end": _handed_on(SessionRef, {200: Session}, lambda _: SessionEndView),
    "active": ActiveView,
    "request-guest": _handed_on(
        AskThere, {200: GuestRequestOut, 201: GuestRequestOut, 429: ErrorOut}, lambda _: GuestRequestsView
    ),
    "respond-guest-request": _handed_on(AnswerThere, {200: GuestRequestOut}, lambda data: ANSWERS[data["answer"]]),
    "manage-participant": _handed_on(DeedThere, {200: ParticipantOut}, lambda data: DEEDS[data["action"]]),
    "send-message": _handed_on(PostThere, {201: Message, 429: ErrorOut, 503: ErrorOut}, lambda _: MessagesView),
}

urlpatterns = [path(name, view.as_view(), name=f"original-{name}") for name, view in ROUTES.items()]
