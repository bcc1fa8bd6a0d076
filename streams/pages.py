"""The pages of shows: home, room, studio list and studio of a show. They only read; the browser acts through the
API."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from livestream.actors import actor_of
from livestream.errors import Denied, Missing, NotAuthenticated
from providers.interface import Capability
from providers.registry import provider_can
from streams.models import StreamSession
from streams.payloads import session_payload
from streams.permissions import require_host, require_view
from streams.selectors import hosted_sessions, listed, live_sessions, past_sessions, session_get, upcoming_sessions
from streams.services.show.provider_choice import alternatives, provider_title
from streams.state import OVER

LISTED = 24
OWN_LISTED = 60

# All transitive imports of room.js: the browser fetches them at once instead of level by level, those needed for the
# first frame first.
ROOM_MODULES = tuple(
    f"js/{name}.js"
    for name in (
        "room/early",
        "providers/transport",
        "providers/whep",
        "providers/rtc",
        "lib/api",
        "lib/errors",
        "lib/backoff",
        "lib/retry-policy",
        "lib/retry-table",
        "lib/avatars",
        "chat/chat",
        "chat/composer",
        "chat/connection-status",
        "chat/keys",
        "chat/log",
        "chat/message",
        "chat/speech",
        "lib/countdown",
        "lib/dom",
        "lib/format",
        "lib/links",
        "lib/sheet",
        "player/player",
        "player/controls",
        "player/overlay",
        "player/quality-menu",
        "player/shape",
        "player/sound",
        "stage/layout",
        "stage/receiver",
        "stage/arrivals",
        "stage/tile",
        "stage/view",
        "room/about",
        "room/numbers",
        "room/phone",
        "room/socket",
        "room/store",
        "stage/guest-request",
        "stage/panel",
        "stage/person-row",
        "lib/remove-dialog",
        "stage/side-tabs",
        "stage/own-participation",
        "stage/backstage",
        "stage/local-media",
        "stage/capture",
        "stage/meter",
        "providers/publisher",
        "providers/first-outcome",
        "providers/whip",
        "providers/token-renewal",
    )
)

Parameters = ParamSpec("Parameters")
Page = Callable[Concatenate[HttpRequest, Parameters], HttpResponse]


def as_page(view: Page[Parameters]) -> Page[Parameters]:
    """Render domain errors as pages: Missing as 404, Denied as 403, NotAuthenticated as a redirect to the log-in
    page."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Missing as error:
            raise Http404(error.message) from None
        except Denied as error:
            raise PermissionDenied(error.message) from None
        except NotAuthenticated:
            return redirect_to_login(request.get_full_path())

    return wrapped


def _payloads(rows: Any) -> list[dict[str, Any]]:
    now = timezone.now()
    return [session_payload(row, now=now) for row in rows]


def _absolute(request: HttpRequest, path: str) -> str:
    """Return an absolute address. PUBLIC_URL is for products whose public address differs from the one they see."""
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """Show live, upcoming and past shows."""
    now = timezone.now()
    lists = {"live": live_sessions(), "soon": upcoming_sessions(now=now), "ended": past_sessions(now=now)}
    actor = actor_of(request.user)
    context = {name: listed(rows[:LISTED], actor=actor, now=now) for name, rows in lists.items()}
    return render(request, "home.html", context)


@require_safe
@never_cache
@as_page
def room(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Show the room of one show to everyone who may see it."""
    session = session_get(session_id)
    actor = actor_of(request.user)
    require_view(actor=actor, session=session)
    payload = _payloads([session])[0]
    context = {
        "session": payload,
        "is_host": actor.user_id == session.host_id,
        "share_url": _absolute(request, reverse("room", args=[session.pk])),
        "share_picture": _absolute(request, payload["poster_url"] or static("images/share.png")),
        "modules": ROOM_MODULES,
    }
    return render(request, "streams/room.html", context)


@require_safe
@never_cache
@login_required
def studio(request: HttpRequest) -> HttpResponse:
    """Show a person's own shows, and the form for a new one.

    `?scheduled=` names one that was scheduled a moment ago: the page confirms it, and offers its link.
    """
    user_id = actor_of(request.user).user_id
    rows = hosted_sessions(user_id=user_id)[:OWN_LISTED] if user_id else StreamSession.objects.none()
    shows = _payloads(rows)
    scheduled = next((show for show in shows if show["id"] == request.GET.get("scheduled")), None)
    context = {
        "shows": shows,
        "scheduled": scheduled,
        "share_url": _absolute(request, reverse("room", args=[scheduled["id"]])) if scheduled else "",
    }
    return render(request, "streams/studio.html", context)


def _clock(seconds: int) -> str:
    """Format a duration like the pages' own clock: 4:05 or 1:02:09."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _summary(session: StreamSession, payload: dict[str, Any]) -> dict[str, Any] | None:
    """Return the figures of an ended show. None while it is open, or if it never started."""
    if session.state not in OVER or session.started_at is None:
        return None
    said = Count("messages", filter=Q(messages__removed_at=None))
    return {
        "duration": _clock(payload["duration_seconds"]),
        "total_viewers": payload["total_viewers"],
        "peak_viewers": payload["peak_viewers"],
        "messages": StreamSession.objects.filter(pk=session.pk).aggregate(said=said)["said"],
    }


@require_safe
@never_cache
@login_required
@as_page
def show_studio(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Show the studio of a show to its host. Others are redirected to the room."""
    session = session_get(session_id)
    actor = actor_of(request.user)
    try:
        require_host(actor=actor, session=session)
    except Denied:
        return redirect("room", session_id=session_id)
    room_path = reverse("room", args=[session_id])
    payload = _payloads([session])[0]
    context = {
        "session": payload,
        "share_url": _absolute(request, room_path),
        "summary": _summary(session, payload),
        "provider_title": provider_title(session.provider),
        "alternatives": alternatives(session) if session.state not in OVER else [],
        "encoder_speaks": _encoder_speaks(session.provider),
    }
    return render(request, "streams/show_studio.html", context)


def _encoder_speaks(provider: str) -> str:
    """Return the protocol for encoders at a provider, or an empty text if it has none."""
    if not provider_can(provider, Capability.ENCODER_PUBLISHES):
        return ""
    return "whip" if provider_can(provider, Capability.BROWSER_PUBLISHES) else "rtmps"
