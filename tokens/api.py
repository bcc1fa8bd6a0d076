"""Media tokens over HTTP."""

from urllib.parse import urljoin
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import caller_of
from livestream.actors import ANONYMOUS, Actor
from livestream.errors import BodyTooBig, Invalid
from livestream.http.async_api_view import AwaitedAPIView
from livestream.ratelimit import Limit
from livestream.rest import client_address, validated
from livestream.schema import SIGN_INS
from providers.base import JoinDescriptor, MediaRole
from streams.payloads import instant
from tokens.awaited import media_token_awaited, once_more
from tokens.services import privileges_of
from tokens.wishes import Asked

PER_PERSON_AND_MINUTE = 60
PER_ADDRESS_AND_MINUTE = 600
NONSENSE = (Invalid, BodyTooBig, UnsupportedMediaType)


class TokenRequest(serializers.Serializer[dict[str, str]]):
    """Which role the token is for."""

    role = serializers.ChoiceField(choices=[role.value for role in MediaRole], default=MediaRole.SUBSCRIBER.value)


class Privileges(serializers.Serializer[dict[str, bool]]):
    """What the token allows."""

    can_publish = serializers.BooleanField()
    can_subscribe = serializers.BooleanField()
    can_admin = serializers.BooleanField()


class Descriptor(serializers.Serializer[dict[str, str]]):
    """All that is needed to join."""

    provider = serializers.CharField()
    protocol = serializers.ChoiceField(choices=["whip", "whep", "agora", "livekit", "daily", "hls", "rtmps"])
    url = serializers.CharField(allow_blank=True)
    token = serializers.CharField(allow_blank=True)
    uid = serializers.CharField()
    channel_id = serializers.CharField()
    privileges = Privileges()
    expires_at = serializers.DateTimeField()
    ice_servers = serializers.ListField(child=serializers.DictField())
    details = serializers.DictField(child=serializers.CharField())


def descriptor_payload(descriptor: JoinDescriptor, *, origin: str) -> dict[str, object]:
    """A descriptor as primitives. A provider that is reached through this product's own origin names a path only."""
    return {
        "provider": descriptor.provider,
        "protocol": descriptor.protocol,
        "url": urljoin(origin, descriptor.url) if descriptor.url else "",
        "token": descriptor.token,
        "uid": descriptor.uid,
        "channel_id": descriptor.channel_id,
        "privileges": privileges_of(descriptor),
        "expires_at": instant(descriptor.expires_at),
        "ice_servers": descriptor.ice_servers,
        "details": descriptor.details,
    }


class MediaTokenView(AwaitedAPIView):
    """A media join descriptor for the caller."""

    @extend_schema(request=TokenRequest, responses=Descriptor, operation_id="session_token", auth=SIGN_INS)
    async def post(self, request: Request, session_id: UUID) -> Response:
        """Issue one. Subscribing to what is not private needs no account."""
        limit = _limit(ANONYMOUS, request)
        try:
            actor = await caller_of(request)  # who has a cookie may have to show in the body that the page is ours
            limit = _limit(actor, request)
            role = MediaRole(validated(TokenRequest, request)["role"])
        except NONSENSE:
            await once_more(limit)
            raise
        descriptor = await media_token_awaited(Asked(session_id, actor, role), limit=limit)
        response = Response(descriptor_payload(descriptor, origin=request.build_absolute_uri("/")))
        response["Cache-Control"] = "no-store"
        return response


def _limit(actor: Actor, request: Request) -> Limit:
    if actor.user_id:
        return Limit("token", str(actor.user_id), PER_PERSON_AND_MINUTE, 60)
    return Limit("token-address", client_address(request), PER_ADDRESS_AND_MINUTE, 60)
