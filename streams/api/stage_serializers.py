"""Input and output of the stage, over HTTP and over the socket."""

from typing import Any

from rest_framework import serializers

from streams.api.serializers import ParticipantOut, Person
from streams.models import GuestRequestStatus

KINDS = ["audio", "video", "screen"]
TALKING = ["audio", "video"]


class Ask(serializers.Serializer[Any]):
    """A guest request."""

    message = serializers.CharField(max_length=280, required=False, allow_blank=True)


class GuestRequestFilter(serializers.Serializer[Any]):
    """Filter: requests, or invitations with `invited`."""

    invited = serializers.BooleanField(required=False)


class Refusal(serializers.Serializer[Any]):
    """The reason for a refusal or removal."""

    reason = serializers.CharField(max_length=280, required=False, allow_blank=True)


class Invitee(serializers.Serializer[Any]):
    """The person to invite."""

    user_id = serializers.UUIDField()


class Muting(serializers.Serializer[Any]):
    """The kind to mute."""

    kind = serializers.ChoiceField(choices=KINDS)


class Unmuting(serializers.Serializer[Any]):
    """The kind to unmute."""

    kind = serializers.ChoiceField(choices=TALKING)


class Flags(serializers.Serializer[Any]):
    """The caller's own microphone, camera and screen: on, off, or omitted to leave unchanged."""

    audio = serializers.BooleanField(required=False)
    video = serializers.BooleanField(required=False)
    screen = serializers.BooleanField(required=False)


class RequestRef(serializers.Serializer[Any]):
    """A request by its id."""

    request = serializers.UUIDField()


class RequestRefusal(Refusal):
    """A request that is declined."""

    request = serializers.UUIDField()


class Target(serializers.Serializer[Any]):
    """A participant by id."""

    user = serializers.UUIDField()


class TargetMuting(Muting):
    """A participant and the kind to mute, or to unmute with `muted` false."""

    user = serializers.UUIDField()
    muted = serializers.BooleanField(required=False)


class TargetUnmuting(Unmuting):
    """A participant and the kind to unmute."""

    user = serializers.UUIDField()


class TargetRefusal(Refusal):
    """A participant to remove, and the reason."""

    user = serializers.UUIDField()


class GuestRequestOut(serializers.Serializer[Any]):
    """A guest request or an invitation."""

    id = serializers.UUIDField()
    user = Person()
    message = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(choices=GuestRequestStatus.choices)
    reason = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)
    position = serializers.IntegerField(allow_null=True)
    responder = Person(allow_null=True)
    invited_by = Person(allow_null=True)
    retry_after = serializers.FloatField(allow_null=True)


class Muted(serializers.Serializer[Any]):
    """The participants that were muted."""

    participants = ParticipantOut(many=True)
