"""Media tokens over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.async_authentication import Credentials, actors_of, credentials_of
from livestream.actors import Actor
from livestream.batching import Batcher
from livestream.database import REQUESTS
from livestream.errors import BodyTooBig, Invalid
from livestream.ratelimit import Limit, too_many, waits
from livestream.rest import api_error, client_address, json_body, serializer_errors
from livestream.schema import SIGN_INS, described_by
from providers.interface import JoinDescriptor, MediaRole
from streams.payloads import instant
from tokens.authorization import AuthorizedRequest, TokenRequest
from tokens.services import media_token_from_provider, media_tokens_issue, privileges_of

PER_PERSON_AND_MINUTE = 60
PER_ADDRESS_AND_MINUTE = 600
# Small enough to read on the event loop.
BODY_MAX_BYTES = 4096
ROLES = {role.value: role for role in MediaRole}


@extend_schema_serializer(component_name="TokenRequest")
class TokenBody(serializers.Serializer[dict[str, str]]):
    """The token's role."""

    role = serializers.ChoiceField(choices=[role.value for role in MediaRole], default=MediaRole.SUBSCRIBER.value)


class Privileges(serializers.Serializer[dict[str, bool]]):
    """The token's privileges."""

    can_publish = serializers.BooleanField()
    can_subscribe = serializers.BooleanField()
    can_admin = serializers.BooleanField()


class Descriptor(serializers.Serializer[dict[str, str]]):
    """A media join descriptor."""

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
    """Return a descriptor as primitives. For a provider behind this product's own origin, `url` is a path."""
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


class MediaTokenView(APIView):
    """Describes `media_token` for the OpenAPI schema. It serves no requests."""

    @extend_schema(request=TokenBody, responses=Descriptor, operation_id="session_token", auth=SIGN_INS)
    def post(self, request: Request, session_id: UUID) -> Response:
        """Issue a media join descriptor. Subscribing requires no account unless the session is private."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request for a token. If the body is invalid, `role` is the error, so that the request still counts."""

    credentials: Credentials
    address: str
    session_id: UUID
    role: MediaRole | Exception


@described_by(MediaTokenView)
@csrf_exempt
async def media_token(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Issue a media join descriptor. A request authenticated by cookie must pass the CSRF check."""
    try:
        if request.method != "POST":
            raise MethodNotAllowed(request.method or "")
        credentials = credentials_of(request)
        answer = await _answer(Call(credentials, client_address(request), session_id, _role_in(request)))
        if isinstance(answer, AuthorizedRequest):
            answer = await REQUESTS.run(media_token_from_provider, answer)
        payload = descriptor_payload(answer, origin=request.build_absolute_uri("/"))
        response = JsonResponse(payload, headers={"Cache-Control": "no-store"})
    except Exception as error:  # raised again unless it has a response
        response = api_error(error)
    response["Allow"] = "POST"
    return response


def _role_in(request: HttpRequest) -> MediaRole | Exception:
    try:
        body = json_body(request, max_bytes=BODY_MAX_BYTES)
        role = body.get("role", MediaRole.SUBSCRIBER.value)
        if isinstance(role, str) and role in ROLES:  # the common case, without a serializer
            return ROLES[role]
        serializer = TokenBody(data=body)
        if not serializer.is_valid():
            return serializer_errors(serializer.errors)
        return MediaRole(serializer.validated_data["role"])
    except (Invalid, BodyTooBig, UnsupportedMediaType) as error:
        return error


def calls_answer(calls: Sequence[Call]) -> list[JoinDescriptor | AuthorizedRequest | Exception]:
    """Authenticate the callers, count them, and issue their tokens: one visit to the database for a crowd."""
    actors = actors_of([call.credentials for call in calls])
    counted = waits([_limit(actor, call.address) for call, actor in zip(calls, actors, strict=True)])
    checked: list[TokenRequest | Exception] = []
    for call, actor, wait in zip(calls, actors, counted, strict=True):
        if wait is not None:
            checked.append(too_many(wait))
        elif isinstance(actor, Exception):
            checked.append(actor)
        elif isinstance(call.role, Exception):
            checked.append(call.role)
        else:
            checked.append(TokenRequest(call.session_id, actor, call.role))
    issued = iter(media_tokens_issue([one for one in checked if isinstance(one, TokenRequest)]))
    return [next(issued) if isinstance(one, TokenRequest) else one for one in checked]


def _limit(actor: Actor | Exception, address: str) -> Limit:
    if isinstance(actor, Actor) and actor.user_id:
        return Limit("token", str(actor.user_id), PER_PERSON_AND_MINUTE, 60)
    return Limit("token-address", address, PER_ADDRESS_AND_MINUTE, 60)


_answer: Batcher[Call, JoinDescriptor | AuthorizedRequest] = Batcher(calls_answer)
