"""Media providers over HTTP: list them, and switch a session's provider."""

from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from livestream.actors import actor_of
from livestream.ratelimit import require_allowed
from livestream.rest import validated
from livestream.schema import ErrorOut
from providers.interface import Capability, Revocation
from providers.registry import provider_named
from streams.api.serializers import Session
from streams.api.views import answer
from streams.services.show.provider_failover import session_provider_switch

SWITCHES_PER_HOUR = 30


class ProviderChoice(serializers.Serializer[Any]):
    """The provider to switch to."""

    provider = serializers.CharField(max_length=20)


class ProviderOut(serializers.Serializer[Any]):
    """A provider of this installation."""

    name = serializers.CharField()
    default = serializers.BooleanField()
    capabilities = serializers.ListField(
        child=serializers.ChoiceField(choices=[capability.value for capability in Capability])
    )
    revocation = serializers.ChoiceField(choices=[revocation.value for revocation in Revocation])


class ProvidersView(APIView):
    """The media providers."""

    permission_classes = [AllowAny]

    @extend_schema(operation_id="provider_list", responses=ProviderOut(many=True))
    def get(self, request: Request) -> Response:
        """List the enabled providers and their capabilities."""
        return Response(
            [
                {
                    "name": name,
                    "default": name == settings.MEDIA_PROVIDER,
                    "capabilities": sorted(provider_named(name).capabilities),
                    "revocation": provider_named(name).revocation,
                }
                for name in sorted(settings.PROVIDERS)
            ]
        )


class SessionProviderView(APIView):
    """The provider of one session."""

    @extend_schema(
        operation_id="session_provider",
        request=ProviderChoice,
        responses={200: Session, 400: ErrorOut, 403: ErrorOut, 409: ErrorOut},
    )
    def post(self, request: Request, session_id: UUID) -> Response:
        """Switch to another provider; host only. All media tokens are revoked."""
        actor = actor_of(request.user)
        require_allowed(scope="provider", key=str(actor.user_id), limit=SWITCHES_PER_HOUR, seconds=3600)
        chosen = validated(ProviderChoice, request)["provider"]
        return answer(session_provider_switch(session_id=session_id, actor=actor, provider=chosen))
