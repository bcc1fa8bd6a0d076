"""Agora tokens under the address and field names of Agora's own samples."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from livestream.actors import actor_of
from livestream.ratelimit import require_allowed
from livestream.rest import serializer_errors
from livestream.schema import ErrorOut
from providers.agora_tokens import UID_MAX
from providers.interface import MediaRole
from streams.payloads import instant
from tokens.api import PER_PERSON_AND_MINUTE
from tokens.services import agora_token_issue

# Agora's clients have other names for the two roles.
ROLES = {
    "publisher": MediaRole.PUBLISHER,
    "host": MediaRole.PUBLISHER,
    "subscriber": MediaRole.SUBSCRIBER,
    "audience": MediaRole.SUBSCRIBER,
}


class AgoraQuery(serializers.Serializer[Any]):
    """A requested token. Without a uid, or with 0, the server assigns one."""

    channelName = serializers.CharField(max_length=64)
    uid = serializers.IntegerField(min_value=0, max_value=UID_MAX, required=False, default=0)
    role = serializers.ChoiceField(choices=list(ROLES), required=False, default="subscriber")
    rtm = serializers.BooleanField(required=False, default=False)


class AgoraToken(serializers.Serializer[Any]):
    """A token and its properties."""

    token = serializers.CharField()
    appId = serializers.CharField()
    channelName = serializers.CharField()
    uid = serializers.IntegerField()
    role = serializers.ChoiceField(choices=[role.value for role in MediaRole])
    expiresAt = serializers.DateTimeField()


class AgoraTokenView(APIView):
    """An Agora token for the caller."""

    @extend_schema(
        operation_id="agora_token",
        parameters=[AgoraQuery],
        responses={200: AgoraToken, 400: ErrorOut, 403: ErrorOut, 404: ErrorOut, 409: ErrorOut, 429: ErrorOut},
    )
    def get(self, request: Request) -> Response:
        """Issue a token for a role that the caller holds in the session of that channel."""
        actor = actor_of(request.user)
        require_allowed(scope="token", key=str(actor.user_id), limit=PER_PERSON_AND_MINUTE, seconds=60)
        sent = request.query_params.dict()
        if not sent.get("uid"):
            sent.pop("uid", None)  # clients without a uid send it empty
        query = AgoraQuery(data=sent)
        if not query.is_valid():
            raise serializer_errors(query.errors)
        wanted = query.validated_data
        role = ROLES[wanted["role"]]
        made = agora_token_issue(
            channel=wanted["channelName"],
            actor=actor,
            role=role,
            uid=wanted["uid"] or None,
            with_rtm=wanted["rtm"],
        )
        body = {
            "token": made.token,
            "appId": made.details["app_id"],
            "channelName": made.channel_id,
            "uid": int(made.uid),
            "role": role.value,
            "expiresAt": instant(made.expires_at),
        }
        return Response(body, headers={"Cache-Control": "no-store"})
