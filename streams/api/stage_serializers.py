"""What people ask and answer on a stage, over HTTP and over the socket."""

from typing import Any

from rest_framework import serializers

from streams.api.serializers import ParticipantOut, Person
from streams.models import GuestRequestStatus

KINDS = ["audio", "video", "screen"]
TALKING = ["audio", "video"]


class Ask(serializers.Serializer[Any]):
    """A wish to come on stage."""

    message = serializers.CharField(max_length=280, required=False, allow_blank=True)


class GuestRequestFilter(serializers.Serializer[Any]):
    """Which requests are listed: wishes, or, with `invited`, invitations."""

    invited = serializers.BooleanField(required=False)


class Refusal(serializers.Serializer[Any]):
    """Why not, or why out."""

    reason = serializers.CharField(max_length=280, required=False, allow_blank=True)


class Invitee(serializers.Serializer[Any]):
    """Who is invited."""

    user_id = serializers.UUIDField()


class Muting(serializers.Serializer[Any]):
    """What is turned off."""

    kind = serializers.ChoiceField(choices=KINDS)


class Unmuting(serializers.Serializer[Any]):
    """What is turned on."""

    kind = serializers.ChoiceField(choices=TALKING)


class Flags(serializers.Serializer[Any]):
    """One's own microphone, camera and screen: on, off, or left as they are."""

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
    """Somebody by their id."""

    user = serializers.UUIDField()


class TargetMuting(Muting):
    """Whose what is turned off, or, with `muted` false, on."""

    user = serializers.UUIDField()
    muted = serializers.BooleanField(required=False)


class TargetUnmuting(Unmuting):
    """Whose what is turned on."""

    user = serializers.UUIDField()


class TargetRefusal(Refusal):
    """Who is put out, and why."""

    user = serializers.UUIDField()


class GuestRequestOut(serializers.Serializer[Any]):
    """A wish to come on stage, or an invitation."""

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
    """Who was muted."""

    participants = ParticipantOut(many=True)
