"""The chat over HTTP: parse, call a service, render."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat.payloads import message_payload
from chat.posting import Post
from chat.selectors import chat_page
from chat.serializers import Message, MessagePost, Messages, PageOfMessages, ReadPosition
from chat.services import message_remove, read_mark
from chat.writer import post_from_thread
from livestream.actors import actor_of
from livestream.ratelimit import require_allowed
from livestream.rest import serializer_errors, validated
from livestream.schema import ErrorOut
from streams.permissions import require_view
from streams.selectors import session_get

POSTS_PER_TEN_SECONDS = 100


class MessagesView(APIView):
    """A session's messages."""

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method == "GET" else IsAuthenticated()]

    @extend_schema(operation_id="message_list", parameters=[PageOfMessages], responses={200: Messages, 404: ErrorOut})
    def get(self, request: Request, session_id: UUID) -> Response:
        """List messages, oldest first: the last ones, those `before`, or those `after` a sequence number."""
        session = session_get(session_id)
        require_view(actor=actor_of(request.user), session=session)
        wanted = PageOfMessages(data=request.query_params)
        if not wanted.is_valid():
            raise serializer_errors(wanted.errors)
        return Response({"results": chat_page(session_id=session_id, **wanted.validated_data)})

    @extend_schema(operation_id="message_post", request=MessagePost, responses={201: Message, 403: ErrorOut})
    def post(self, request: Request, session_id: UUID) -> Response:
        """Post a message. Sending the same `client_id` again returns the first message."""
        actor = actor_of(request.user)
        require_allowed(scope="chat", key=str(actor.user_id), limit=POSTS_PER_TEN_SECONDS, seconds=10)
        message = post_from_thread(Post(session_id=session_id, actor=actor, **validated(MessagePost, request)))
        return Response(message_payload(message), status=201)


class MessageView(APIView):
    """One message."""

    @extend_schema(operation_id="message_remove", responses={204: None, 403: ErrorOut, 404: ErrorOut})
    def delete(self, request: Request, session_id: UUID, message_id: UUID) -> Response:
        """Remove a message, as its author or as a moderator of the session."""
        message_remove(message_id=message_id, session_id=session_id, actor=actor_of(request.user))
        return Response(status=204)


class ReadView(APIView):
    """The caller's read position."""

    @extend_schema(operation_id="message_read", request=ReadPosition, responses={200: ReadPosition})
    def post(self, request: Request, session_id: UUID) -> Response:
        """Update the position. It never moves back."""
        data = validated(ReadPosition, request)
        return Response({"seq": read_mark(session_id=session_id, actor=actor_of(request.user), seq=data["seq"])})
