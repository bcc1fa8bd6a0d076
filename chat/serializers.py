"""What the chat takes and gives, over HTTP and over the socket alike."""

from typing import Any

from rest_framework import serializers

from chat.models import MessageType


class MessagePost(serializers.Serializer[Any]):
    """Something to say. `client_id` is the sender's own name for it: sending it again stores nothing."""

    text = serializers.CharField(max_length=2000, trim_whitespace=False, allow_blank=True)
    client_id = serializers.CharField(max_length=64)
    reply_to = serializers.UUIDField(required=False, allow_null=True)
    message_type = serializers.ChoiceField(choices=MessageType.choices, required=False)


class MessageRef(serializers.Serializer[Any]):
    """One message."""

    id = serializers.UUIDField()


class ReadPosition(serializers.Serializer[Any]):
    """Up to where one has read."""

    seq = serializers.IntegerField(min_value=0, max_value=2**62)


class PageOfMessages(serializers.Serializer[Any]):
    """Which messages."""

    before = serializers.IntegerField(min_value=0, max_value=2**62, required=False)
    after = serializers.IntegerField(min_value=0, max_value=2**62, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=100, required=False)


class Author(serializers.Serializer[Any]):
    """Who wrote a message, as they were called then."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    role = serializers.CharField()


class Message(serializers.Serializer[Any]):
    """A message. One that was removed has no content any more."""

    id = serializers.UUIDField()
    seq = serializers.IntegerField()
    client_id = serializers.CharField()
    user = Author(allow_null=True)
    content = serializers.CharField(allow_blank=True)
    message_type = serializers.ChoiceField(choices=MessageType.choices)
    reply_to = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    removed = serializers.BooleanField()
    metadata = serializers.DictField()


class Messages(serializers.Serializer[Any]):
    """A page of messages, oldest first."""

    results = Message(many=True)
