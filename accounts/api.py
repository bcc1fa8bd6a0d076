"""Accounts over HTTP: parse, call a service, render."""

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.bearer import bearer_pair, bearer_refresh
from accounts.email_addresses import email_change
from accounts.known_browsers import browser_remember, known_browser
from accounts.login_limits import network_of
from accounts.recovery import password_recover, recovery_request
from accounts.serializers import (
    Account,
    Credentials,
    EmailChange,
    Forgotten,
    Me,
    PasswordChange,
    ProfileChange,
    Refresh,
    Registered,
    Registration,
    Reset,
    TicketOut,
    TicketRequest,
    TokenPair,
)
from accounts.services import get_user, password_change, profile_update, user_register
from accounts.tickets import ticket_issue
from livestream.actors import actor_of, require_signed_in
from livestream.errors import NotAuthenticated
from livestream.ratelimit import require_allowed
from livestream.rest import client_address, validated
from livestream.schema import ErrorOut

TICKETS_PER_MINUTE = 120

# The error's shape is defined in `livestream.schema`.


def _errors(*statuses: int) -> dict[int, Any]:
    return dict.fromkeys(statuses, ErrorOut)


class OpenView(APIView):
    """A view for people who are not logged in. Cookies and tokens are ignored, so that an invalid one cannot block
    it."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        """Return the challenge for a 401."""
        return 'Bearer realm="api"'


class RegisterView(OpenView):
    """New accounts."""

    @extend_schema(
        operation_id="auth_register", request=Registration, responses={201: Registered, **_errors(400, 409, 429, 503)}
    )
    def post(self, request: Request) -> Response:
        """Create an account and log in."""
        address = network_of(client_address(request))
        require_allowed(scope="register", key=address, limit=settings.REGISTRATIONS_PER_HOUR, seconds=3600)
        user = user_register(**validated(Registration, request))
        browser_remember(request, user.username)
        return Response({"user": Account(user).data, **bearer_pair(user=user)}, status=201)


class TokenView(OpenView):
    """Logging in."""

    @extend_schema(
        operation_id="auth_token", request=Credentials, responses={200: TokenPair, **_errors(400, 401, 429, 503)}
    )
    def post(self, request: Request) -> Response:
        """Exchange username and password for tokens."""
        user = authenticate(request, **validated(Credentials, request))
        if user is None:
            raise NotAuthenticated("sign_in.wrong", "Wrong username or password.")
        return Response(bearer_pair(user=user))


class TokenRefreshView(OpenView):
    """Staying logged in."""

    @extend_schema(operation_id="auth_token_refresh", request=Refresh, responses={200: TokenPair, **_errors(400, 401)})
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a new access token."""
        return Response(bearer_refresh(**validated(Refresh, request)))


class TicketView(APIView):
    """Tickets for room sockets."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="auth_ticket",
        request=TicketRequest,
        responses={200: TicketOut, **_errors(400, 401, 403, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        """Issue a ticket that opens one room's socket once, as `?ticket=`, within 30 seconds."""
        actor = actor_of(request.user)
        session_id = validated(TicketRequest, request)["session"]
        require_allowed(scope="ticket", key=actor.person, limit=TICKETS_PER_MINUTE, seconds=60)
        return Response(TicketOut(ticket_issue(actor=actor, session_id=session_id, now=timezone.now())).data)


class MeView(APIView):
    """The caller's own account."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(operation_id="auth_me", responses={200: Me, **_errors(401, 403)})
    def get(self, request: Request) -> Response:
        """Return the caller's account."""
        return Response(Me(get_user(user_id=require_signed_in(actor_of(request.user)))).data)

    @extend_schema(operation_id="auth_me_change", request=ProfileChange, responses={200: Me, **_errors(400, 401, 403)})
    def patch(self, request: Request) -> Response:
        """Change the caller's public profile. An empty display name shows the username."""
        changes = validated(ProfileChange, request, partial=True)
        return Response(Me(profile_update(actor=actor_of(request.user), **changes)).data)


class EmailView(APIView):
    """The caller's email address."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="auth_email",
        request=EmailChange,
        responses={200: Me, **_errors(400, 401, 403, 404, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        """Send a link to a new address. It is the account's once the link is opened. Empty removes the address."""
        user = email_change(
            actor=actor_of(request.user),
            address=client_address(request),
            browser=known_browser(request, request.user.get_username()),
            now=timezone.now(),
            **validated(EmailChange, request),
        )
        return Response(Me(user).data)


class PasswordView(APIView):
    """The caller's password."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="auth_password",
        request=PasswordChange,
        responses={200: TokenPair, **_errors(400, 401, 403, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        """Change the caller's password. All sessions, tokens and sockets end; the response has new tokens."""
        passwords = validated(PasswordChange, request)
        user = password_change(
            actor=actor_of(request.user),
            address=client_address(request),
            browser=known_browser(request, request.user.get_username()),
            **passwords,
        )
        return Response(bearer_pair(user=user))


class ForgottenView(OpenView):
    """Forgotten passwords."""

    @extend_schema(operation_id="auth_password_forgot", request=Forgotten, responses={202: None, **_errors(400, 429)})
    def post(self, request: Request) -> Response:
        """Send a link to the verified address of an account. The answer is the same whether there is one or not."""
        name = validated(Forgotten, request)["email"]
        recovery_request(name=name, address=client_address(request), now=timezone.now())
        return Response(status=202)


class ResetView(OpenView):
    """New passwords by a mailed link."""

    @extend_schema(operation_id="auth_password_reset", request=Reset, responses={204: None, **_errors(400, 503)})
    def post(self, request: Request) -> Response:
        """Set a new password. All sessions, tokens and sockets end."""
        password_recover(**validated(Reset, request))
        return Response(status=204)
