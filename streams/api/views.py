"""Sessions over HTTP: parse, call a service, render."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from livestream.actors import Actor, actor_of
from livestream.errors import DomainError, Invalid, Missing
from livestream.ratelimit import require_allowed
from livestream.realtime import runtime
from livestream.rest import CreatedCursorPagination, error_response, serializer_errors, validated
from livestream.schema import ErrorOut
from streams.api.serializers import (
    Invitation,
    ParticipantFilter,
    ParticipantListed,
    ParticipantOut,
    Session,
    SessionChange,
    SessionCreate,
    SessionFilter,
)
from streams.models import Participant, ParticipantStatus, StreamSession
from streams.payloads import participant_payload, session_payload
from streams.permissions import ON_STAGE, Standing, require_view, standing_in
from streams.selectors import listed, participants_of, session_get, sessions_visible_to
from streams.services.people.viewers import viewer_invite, viewer_join, viewer_leave
from streams.services.show import sessions as lifecycle
from streams.services.show.posters import session_poster_set
from streams.stage_permissions import may_with

CREATED_PER_HOUR = 60
INVITED_PER_HOUR = 200


def answer(session: StreamSession, status: int = 200) -> Response:
    """Return a session as a response."""
    return Response(session_payload(session, now=timezone.now()), status=status)


def _one_page(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["results"],
        "properties": {
            "results": schema,
            "next": {"type": "string", "format": "uri", "nullable": True},
            "previous": {"type": "string", "format": "uri", "nullable": True},
        },
    }


class SessionPages(CreatedCursorPagination):
    """Pages of sessions, with their own schema."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return _one_page(schema)


class ParticipantPages(SessionPages):
    """Pages of participants, earliest first."""

    ordering = ("joined_at", "id")


class SessionsView(APIView):
    """List and create sessions."""

    pagination_class = SessionPages  # for the schema

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method == "GET" else IsAuthenticated()]

    @extend_schema(
        operation_id="session_list",
        parameters=[
            SessionFilter,
            OpenApiParameter("cursor", OpenApiTypes.STR),
            OpenApiParameter("limit", OpenApiTypes.INT),
        ],
        responses={200: Session(many=True), 400: ErrorOut},
    )
    def get(self, request: Request) -> Response:
        """List sessions visible to the caller, newest first."""
        wanted = SessionFilter(data=request.query_params)
        if not wanted.is_valid():
            raise serializer_errors(wanted.errors)
        actor = actor_of(request.user)
        rows = _narrowed(sessions_visible_to(actor), wanted.validated_data)
        pages = SessionPages()
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response(listed(page, actor=actor, now=timezone.now()))

    @extend_schema(operation_id="session_create", request=SessionCreate, responses={201: Session, 400: ErrorOut})
    def post(self, request: Request) -> Response:
        """Create a session hosted by the caller."""
        actor = actor_of(request.user)
        require_allowed(scope="session-create", key=str(actor.user_id), limit=CREATED_PER_HOUR, seconds=3600)
        data = validated(SessionCreate, request)
        changes = data.pop("settings", None)
        session = lifecycle.session_create(actor=actor, settings_changes=changes, **data)
        return answer(session, status=201)


def _narrowed(rows: QuerySet[StreamSession], wanted: dict[str, Any]) -> QuerySet[StreamSession]:
    if state := wanted.get("state"):
        rows = rows.filter(state=state)
    if host := wanted.get("host"):
        try:
            rows = rows.filter(host_id=UUID(host))
        except ValueError:
            rows = rows.filter(host__username__iexact=host)
    if query := wanted.get("q"):
        rows = rows.filter(Q(title__icontains=query) | Q(host__display_name__icontains=query))
    return rows


class SessionView(APIView):
    """One session."""

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method == "GET" else IsAuthenticated()]

    @extend_schema(operation_id="session_read", responses={200: Session, 404: ErrorOut})
    def get(self, request: Request, session_id: UUID) -> Response:
        """Read a session."""
        session = session_get(session_id)
        require_view(actor=actor_of(request.user), session=session)
        return answer(session)

    @extend_schema(operation_id="session_change", request=SessionChange, responses={200: Session, 403: ErrorOut})
    def patch(self, request: Request, session_id: UUID) -> Response:
        """Update description and settings."""
        data = validated(SessionChange, request, partial=True)
        turned = data.pop("settings", None)
        session = lifecycle.session_update(
            session_id=session_id, actor=actor_of(request.user), changes=data, settings_changes=turned
        )
        return answer(session)


class LifecycleView(APIView):
    """A transition of the lifecycle. Repeating it changes nothing."""

    def step(self, *, session_id: UUID, actor: Actor) -> StreamSession:
        """Call the service for the transition."""
        raise NotImplementedError

    @extend_schema(request=None, responses={200: Session, 403: ErrorOut, 404: ErrorOut, 409: ErrorOut})
    def post(self, request: Request, session_id: UUID) -> Response:
        return answer(self.step(session_id=session_id, actor=actor_of(request.user)))


class SessionStartView(LifecycleView):
    """Go live."""

    def step(self, *, session_id: UUID, actor: Actor) -> StreamSession:
        return lifecycle.session_start(session_id=session_id, actor=actor)


class SessionPauseView(LifecycleView):
    """Pause the show."""

    def step(self, *, session_id: UUID, actor: Actor) -> StreamSession:
        return lifecycle.session_pause(session_id=session_id, actor=actor)


class SessionResumeView(LifecycleView):
    """Resume after a pause."""

    def step(self, *, session_id: UUID, actor: Actor) -> StreamSession:
        return lifecycle.session_resume(session_id=session_id, actor=actor)


class SessionEndView(LifecycleView):
    """End the show for good."""

    def step(self, *, session_id: UUID, actor: Actor) -> StreamSession:
        return lifecycle.session_end(session_id=session_id, actor=actor)


class SessionJoinView(APIView):
    """Joining a session."""

    @extend_schema(operation_id="session_join", request=None, responses={200: ParticipantOut, 409: ErrorOut})
    def post(self, request: Request, session_id: UUID) -> Response:
        """Join. The caller counts as a viewer for 90 seconds, or while a room socket is open."""
        actor = actor_of(request.user)
        participant = viewer_join(session_id=session_id, actor=actor)
        if participant.role == "viewer":
            runtime.enter_from_thread(session_id=session_id, person=actor.person)
        return Response(participant_payload(participant))


class SessionLeaveView(APIView):
    """Leaving a session."""

    @extend_schema(operation_id="session_leave", request=None, responses={204: None})
    def post(self, request: Request, session_id: UUID) -> Response:
        """Leave."""
        actor = actor_of(request.user)
        viewer_leave(session_id=session_id, actor=actor)
        runtime.exit_from_thread(session_id=session_id, person=actor.person)
        return Response(status=204)


class ParticipantsView(APIView):
    """Participants of a session."""

    pagination_class = ParticipantPages  # for the schema

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method == "GET" else IsAuthenticated()]

    @extend_schema(
        operation_id="session_invite", request=Invitation, responses={201: ParticipantOut, 400: ErrorOut, 403: ErrorOut}
    )
    def post(self, request: Request, session_id: UUID) -> Response:
        """Invite a person to a private session (host only)."""
        actor = actor_of(request.user)
        require_allowed(scope="invite", key=str(actor.user_id), limit=INVITED_PER_HOUR, seconds=3600)
        username = validated(Invitation, request)["username"]
        participant = viewer_invite(session_id=session_id, actor=actor, username=username)
        return Response(participant_payload(participant), status=201)

    @extend_schema(
        operation_id="session_participants",
        parameters=[
            ParticipantFilter,
            OpenApiParameter("cursor", OpenApiTypes.STR),
            OpenApiParameter("limit", OpenApiTypes.INT),
        ],
        responses={200: ParticipantListed(many=True), 400: ErrorOut, 404: ErrorOut},
    )
    def get(self, request: Request, session_id: UUID) -> Response:
        """Participants with their roles and flags, earliest first, and the caller's rights over them."""
        wanted = ParticipantFilter(data=request.query_params)
        if not wanted.is_valid():
            raise serializer_errors(wanted.errors)
        session = session_get(session_id)
        actor = actor_of(request.user)
        standing = require_view(actor=actor, session=session)
        rows = participants_of(session_id=session_id, actor=actor, standing=standing)
        if wanted.validated_data.get("on_stage"):
            rows = rows.filter(status=ParticipantStatus.ACTIVE, role__in=ON_STAGE)
        pages = ParticipantPages()
        page = pages.paginate_queryset(rows, request, view=self) or []
        return pages.get_paginated_response([_listed(row, actor=actor, standing=standing) for row in page])


def _listed(person: Participant, *, actor: Actor, standing: Standing) -> dict[str, Any]:
    may = may_with(
        actor=actor,
        standing=standing,
        target_id=person.user_id,
        target=standing_in(person),
        target_is_staff=person.user.is_staff,
    )
    return participant_payload(person) | {"may": may}


class PictureParser(BaseParser):
    """An image as the raw body."""

    media_type = "image/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, bytes]:
        return {"picture": stream.read(1024 * 1024)}


class PosterView(APIView):
    """The poster image of a session."""

    parser_classes = [PictureParser, MultiPartParser]

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method == "GET" else IsAuthenticated()]

    @extend_schema(operation_id="session_poster", responses={(200, "image/jpeg"): OpenApiTypes.BINARY, 404: ErrorOut})
    def get(self, request: Request, session_id: UUID) -> HttpResponse:
        """Return the poster."""
        session = session_get(session_id)
        require_view(actor=actor_of(request.user), session=session)
        if not session.poster:
            raise Missing("poster.missing", "This show has no poster.")
        try:
            with session.poster.open("rb") as file:
                response = HttpResponse(file.read(), content_type="image/jpeg")
        except FileNotFoundError:
            raise Missing("poster.missing", "This show has no poster.") from None
        response["Cache-Control"] = "private, max-age=86400"
        return response

    @extend_schema(
        operation_id="session_poster_set",
        request={"image/jpeg": OpenApiTypes.BINARY, "image/png": OpenApiTypes.BINARY},
        responses={200: Session, 400: ErrorOut},
    )
    def post(self, request: Request, session_id: UUID) -> Response:
        """Set the poster: a JPEG or PNG of at most 512 KiB as the body, or as the form field `poster`."""
        actor = actor_of(request.user)
        require_allowed(scope="poster", key=str(actor.user_id), limit=6, seconds=60)
        form: Any = request.data
        sent = form.get("poster") or form.get("picture") or b""
        picture = sent.read(settings.POSTER_MAX_BYTES + 1) if hasattr(sent, "read") else sent
        if not isinstance(picture, bytes):
            raise Invalid("poster.not_a_picture", "Send a JPEG or PNG image.")
        session_poster_set(session_id=session_id, actor=actor, picture=picture)
        return answer(session_get(session_id))


@csrf_exempt
def not_found(request: HttpRequest, path: str = "") -> HttpResponse:
    """Return the API's own response for an unknown address."""
    error: DomainError = Missing("missing", "No such API endpoint.")
    return error_response(error)
